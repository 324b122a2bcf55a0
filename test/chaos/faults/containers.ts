/** A single pod is hurt, or hurts: its neighbours must not notice, and it must end when it shall. */
import assert from "node:assert/strict";

import type { FaultGroup } from "../../support/arena/fault.ts";
import { signal } from "../../support/arena/processes.ts";
import type { Scene } from "../../support/arena/scene.ts";
import { SLOWLY } from "../../support/arena/scene.ts";
import { until } from "../../support/arena/wait.ts";

const MIB = 2 ** 20;
const shell = (script: string): string[] => ["/bin/busybox", "sh", "-c", script];

async function eventsOf(scene: Scene, podId: Awaited<ReturnType<Scene["pods"]["ask"]>>): Promise<string[]> {
  const codes: string[] = [];
  for await (const { code } of scene.live.client.podEvents({ params: { podId }, query: {} })) codes.push(code);
  return codes;
}

export const containerFaults: FaultGroup = {
  about: "single pods",
  faults: [
    {
      name: "demand 7: the shim of a pod frozen",
      short: true,
      does: "Freezes the process that holds a container, and asks for the pod's end.",
      holds: "It is over within 60 s, or `stuck` with who is left; the neighbour and a new pod notice nothing.",
      run: async (scene) => {
        await scene.pods.countingPod();
        const { podId } = await scene.pods.rent();
        signal((await scene.engine.shimOf(`lium-${podId}`)).pid, "SIGSTOP");
        await scene.pods.end(podId);
        await scene.pods.rent();
        await scene.pods.untilOver(podId, 60_000);
      },
    },
    {
      name: "demand 7: terminate asked for 20 times",
      does: "Asks for the end of a pod twenty times at once, and again when it is over.",
      holds: "It ends once, and no answer is an error.",
      run: async (scene) => {
        const { podId } = await scene.pods.rent();
        await Promise.all(Array.from({ length: 20 }, () => scene.pods.end(podId)));
        await scene.pods.untilOver(podId);
        await scene.pods.end(podId);
        assert.deepEqual(
          (await eventsOf(scene, podId)).filter((code) => code === "ended"),
          ["ended"],
        );
      },
    },
    {
      name: "demand 7: terminate in the middle of a pull",
      does: "Asks for the end of a pod while its image is coming slowly.",
      holds: "It is over within 5 s.",
      run: async (scene) => {
        const { reference } = await scene.registry(SLOWLY);
        const podId = await scene.pods.ask({ image: reference });
        await scene.pods.untilPhase(podId, "pulling");
        await scene.pauseUpTo(1_000);
        await scene.pods.end(podId);
        await scene.pods.untilOver(podId, 5_000);
      },
    },
    {
      name: "terminate at random points of a start",
      does: "Asks for a pod, and for its end up to 500 ms later; eight times.",
      holds: "Each is over, and nothing is left.",
      run: async (scene) => {
        for (let round = 0; round < 8; round += 1) {
          const podId = await scene.pods.ask();
          await scene.pauseUpTo(500);
          await scene.pods.end(podId);
          await scene.pods.untilOver(podId, 20_000);
        }
      },
    },
    {
      name: "many wishes at once",
      does: "Stops, starts and restarts one pod in a random order, without waiting, twelve times; then starts it.",
      holds: "The last wish wins.",
      run: async (scene) => {
        const { podId } = await scene.pods.rent();
        const { client } = scene.live;
        const wishes = [client.stopPod, client.startPod, client.restartPod];
        for (let round = 0; round < 12; round += 1) {
          await scene.random.pick(wishes)({ params: { podId } });
          await scene.pauseUpTo(60);
        }
        await scene.pods.start(podId);
      },
    },
    {
      name: "the shim of a pod killed",
      does: "Kills the process that holds a container; the container's own processes are left without it.",
      holds: "The pod comes back, once, and its old processes are gone.",
      run: async (scene) => {
        const { podId } = await scene.pods.rent();
        const name = `lium-${podId}`;
        const before = await scene.engine.processesIn(name);
        signal((await scene.engine.shimOf(name)).pid, "SIGKILL");
        await until("the pod to have another life", 60_000, async () => {
          const { State } = await scene.engine.docker.getContainer(name).inspect();
          return State.Running && State.Pid !== before[0]?.pid ? true : undefined;
        });
        await scene.pods.untilPhase(podId, "running");
        await until("the old processes to be gone", 20_000, () =>
          before.every(({ pid }) => !scene.engine.isAlive(pid)) ? true : undefined,
        );
      },
    },
    {
      name: "the init of a pod killed",
      does: "Kills a pod's first process.",
      holds: "The exit is told with its signal, and the pod is started again.",
      run: async (scene) => {
        await scene.pods.countingPod();
        const { podId } = await scene.pods.rent();
        const [init] = await scene.engine.processesIn(`lium-${podId}`);
        signal(init?.pid ?? 0, "SIGKILL");
        await scene.pods.untilPhase(podId, "exited", 5_000);
        await scene.pods.untilPhase(podId, "running");
        assert.ok((await eventsOf(scene, podId)).includes("exited"));
      },
    },
    {
      name: "demand 2: the SSH server of a pod killed",
      does: "Kills the pod's SSH server, from outside.",
      holds: "It is degraded within 60 s, and healed; who is logged in goes on.",
      run: async (scene) => {
        const { podId } = await scene.pods.countingPod();
        const processes = await scene.engine.processesIn(`lium-${podId}`);
        const server = processes.find(({ args }) => args.includes("/.lium/pod/host_ed25519"));
        signal(server?.pid ?? 0, "SIGKILL");
        await scene.pods.untilPhase(podId, "degraded", 60_000);
        await scene.pods.untilPhase(podId, "running", 30_000);
        assert.ok((await eventsOf(scene, podId)).includes("ssh-restarted"));
      },
    },
    {
      name: "a paused container",
      does: "Pauses a pod's container in the engine, lets it go after 20 s.",
      holds: "The pod is degraded meanwhile, with that reason, and running after.",
      run: async (scene) => {
        const { podId } = await scene.pods.rent();
        const container = scene.engine.docker.getContainer(`lium-${podId}`);
        await container.pause();
        const { status } = await scene.pods.untilPhase(podId, "degraded", 10_000);
        assert.equal(status.reason?.code, "paused");
        await container.unpause();
        await scene.pods.untilPhase(podId, "running", 10_000);
      },
    },
    {
      name: "the end of a paused container",
      does: "Pauses a pod's container in the engine and asks for the pod's end.",
      holds: "It ends.",
      run: async (scene) => {
        const { podId } = await scene.pods.rent();
        await scene.engine.docker.getContainer(`lium-${podId}`).pause();
        await scene.pods.end(podId);
        await scene.pods.untilOver(podId);
      },
    },
    {
      name: "a container removed by somebody else",
      does: "Removes a pod's container by force, as a careless operator does.",
      holds: "The pod comes back, once.",
      run: async (scene) => {
        const { podId } = await scene.pods.rent();
        const container = scene.engine.docker.getContainer(`lium-${podId}`);
        const { Id } = await container.inspect();
        await container.remove({ force: true });
        await until("another container", 30_000, async () =>
          (await container.inspect()).Id === Id ? undefined : true,
        );
        await scene.pods.allAsWanted();
      },
    },
    {
      name: "a stopped pod started by somebody else",
      does: "Starts the container of a pod that its renter stopped, behind our back.",
      holds: "It is stopped again.",
      run: async (scene) => {
        const { podId } = await scene.pods.rent();
        await scene.pods.stop(podId);
        await scene.engine.docker.getContainer(`lium-${podId}`).start();
        await until("the container to be stopped again", 40_000, async () => {
          const { State } = await scene.engine.docker.getContainer(`lium-${podId}`).inspect();
          return State.Running ? undefined : true;
        });
      },
    },
    {
      name: "demand 35: an image that ends at its start",
      does: "Rents a pod whose command fails at once.",
      holds: "It is called a crash loop with its cause; its neighbour notices nothing.",
      run: async (scene) => {
        await scene.pods.countingPod();
        const podId = await scene.pods.ask({ command: shell("echo no model >&2; exit 3") });
        scene.pods.expect(podId, "exited");
        const view = await until("a crash loop", 60_000, async () => {
          const seen = await scene.pods.view(podId);
          return seen.status.reason?.code === "crash-loop" ? seen : undefined;
        });
        assert.equal(view.status.exit?.cause, "exit code 3");
        assert.ok(view.status.exit.log?.includes("no model"));
      },
    },
    {
      name: "a fork bomb in a pod",
      does: "A renter starts processes without end, for 10 s.",
      holds: "The pod meets its own limit; its neighbour notices nothing, and the pod can be ended.",
      run: async (scene) => {
        await scene.pods.countingPod();
        const pod = await scene.pods.rent({ pidsLimit: 128 });
        await scene.pods.login(pod, "(while :; do sleep 100 & done) >/dev/null 2>&1 & sleep 10").catch(() => undefined);
        assert.ok((await scene.engine.processesIn(`lium-${pod.podId}`)).length <= 128);
        await scene.pods.end(pod.podId);
        await scene.pods.untilOver(pod.podId);
      },
    },
    {
      name: "a memory bomb in a pod",
      does: "A pod's main process takes more memory than the pod has.",
      holds: "It alone is killed, and that is named; its neighbour notices nothing.",
      run: async (scene) => {
        await scene.pods.countingPod();
        const hog = shell("x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo $#x");
        const podId = await scene.pods.ask({ command: hog, memoryBytes: 64 * MIB, restart: "never" });
        scene.pods.expect(podId, "exited");
        const { status } = await scene.pods.untilPhase(podId, "exited", 30_000);
        assert.equal(status.exit?.oomKilled, true);
      },
    },
    {
      name: "demand 38: a pod that floods its log",
      does: "A pod writes to its log as fast as it can, for 15 s, while somebody reads the log slowly.",
      holds: "The log stays below 40 MiB, the executor grows by less than 64 MiB, and the neighbour notices nothing.",
      run: async (scene) => {
        await scene.pods.countingPod();
        const executor = scene.live.stack.executor.pid ?? 0;
        const [free, rss] = [await scene.machine.freeBytes("engine"), scene.residentBytes(executor)];
        const flood = shell("yes 'a line that says nothing at all, again and again'");
        const { podId } = await scene.pods.rent({ command: flood, cpus: 0.5 });
        const reader = scene.live.client
          .podLogs({ params: { podId }, query: { follow: "true" } })
          [Symbol.asyncIterator]();
        await reader.next();
        await scene.pause(15_000);
        const used = free - (await scene.machine.freeBytes("engine"));
        assert.ok(used < 40 * MIB, `the log took ${used / MIB} MiB`);
        const grown = scene.residentBytes(executor) - rss;
        assert.ok(grown < 64 * MIB, `the executor grew by ${grown / MIB} MiB`);
        await reader.return?.();
      },
    },
    {
      name: "a pod that takes all the CPU it gets",
      does: "Two pods compute without end for 10 s.",
      holds: "Their neighbour notices nothing, and a new pod starts.",
      run: async (scene) => {
        await scene.pods.countingPod();
        await scene.pods.rentMany(2, { command: shell("while :; do :; done"), cpus: 0.5 });
        await scene.pause(10_000);
        await scene.pods.rent();
      },
    },
  ],
};
