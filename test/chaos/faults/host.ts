/** The whole host goes down, and time itself cannot be trusted. */
import assert from "node:assert/strict";

import { seal } from "../../../common/sealed-box.ts";
import type { PodView } from "../../../protocol/pod.ts";
import type { FaultGroup } from "../../support/arena/fault.ts";
import { signal } from "../../support/arena/processes.ts";
import { type Scene, SLOWLY } from "../../support/arena/scene.ts";
import { until } from "../../support/arena/wait.ts";

const HOUR_MS = 3_600_000;

async function startedAt(scene: Scene, { podId }: PodView): Promise<string> {
  const { State } = await scene.engine.docker.getContainer(`lium-${podId}`).inspect();
  return State.Running ? State.StartedAt : `not running (${State.Status})`;
}

export const hostFaults: FaultGroup = {
  about: "host",
  faults: [
    {
      name: "demand 1: the host reboots",
      short: true,
      does: "Pulls the plug under three pods, one of them with a volume and secrets, and boots.",
      holds: "They are back within 20 s of the executor's start: keys, ports, disks, volume and secrets.",
      run: async (scene) => {
        const volume = scene.pods.newVolume(scene.random);
        const { offers } = await scene.live.client.capacity({});
        const sealedEnv = seal(Buffer.from(JSON.stringify({ TOKEN: "kept" })), offers[0]?.sealingKey ?? "");
        const rich = await scene.pods.rent({ volume, sealedEnv });
        const plain = await scene.pods.rentMany(2);
        await scene.pods.login(rich, "echo disk > /mark; echo volume > /data/mark");
        await scene.reboot();
        const began = performance.now();
        for (const { podId } of [rich, ...plain]) await scene.pods.untilPhase(podId, "running", 20_000);
        const back = await scene.pods.view(rich.podId);
        assert.ok(performance.now() - began < 20_000);
        assert.deepEqual(back.status.ssh, rich.status.ssh);
        assert.equal(await scene.pods.login(back, "cat /mark /data/mark; echo $TOKEN"), "disk\nvolume\nkept\n");
      },
    },
    {
      name: "the host reboots with pods that were stopped or had ended",
      does: "Pulls the plug while one pod is stopped by its renter and one has ended by itself.",
      holds: "Both stay down, and start when they are asked to.",
      run: async (scene) => {
        const stopped = await scene.pods.rent();
        const exited = await scene.pods.rent({ restart: "never" });
        await scene.pods.stop(stopped.podId);
        await scene.engine.docker.getContainer(`lium-${exited.podId}`).kill();
        await scene.pods.untilPhase(exited.podId, "exited");
        scene.pods.expect(exited.podId, "exited");
        await scene.reboot();
        await scene.pause(3_000);
        await scene.pods.untilPhase(stopped.podId, "stopped");
        await scene.pods.untilPhase(exited.podId, "exited");
        await scene.pods.start(stopped.podId);
      },
    },
    {
      name: "the host reboots while pods start",
      does: "Asks for four pods, pulls the plug up to 1 s later, boots.",
      holds: "All come up, once.",
      run: async (scene) => {
        const pods = await Promise.all(Array.from({ length: 4 }, () => scene.pods.ask()));
        await scene.pauseUpTo(1_000);
        await scene.reboot();
        for (const podId of pods) await scene.pods.untilPhase(podId, "running");
        // What Docker was just publishing when the power went it takes up again, and keeps until its next start.
        await scene.engine.restart();
        await scene.hostIsWell();
      },
    },
    {
      name: "the host reboots while pods end",
      does: "Ends three pods, pulls the plug up to 500 ms later, boots.",
      holds: "They end, and nothing of them is left.",
      run: async (scene) => {
        const pods = await scene.pods.rentMany(3);
        await Promise.all(pods.map(({ podId }) => scene.pods.end(podId)));
        await scene.pauseUpTo(500);
        await scene.reboot();
        for (const { podId } of pods) await scene.pods.untilOver(podId);
      },
    },
    {
      name: "the host reboots in the middle of a pull",
      does: "Pulls the plug while an image is coming slowly, boots.",
      holds: "The pod comes up.",
      run: async (scene) => {
        const { reference } = await scene.registry(SLOWLY);
        const podId = await scene.pods.ask({ image: reference });
        await scene.pods.untilPhase(podId, "pulling");
        await scene.pauseUpTo(2_000);
        await scene.reboot();
        await scene.pods.untilPhase(podId, "running");
      },
    },
    {
      name: "the host reboots, and the engine comes up late",
      does: "Pulls the plug; the executor starts 15 s before the engine does.",
      holds: "No pod is called dead, and all come back.",
      run: async (scene) => {
        const [pod] = await scene.pods.rentMany(2);
        await scene.powerOff();
        await scene.machine.boot();
        await scene.startExecutor();
        await scene.pause(15_000);
        if (pod !== undefined) assert.equal((await scene.pods.view(pod.podId)).status.phase, "unknown");
        await scene.engine.start();
        await scene.pods.allAsWanted();
      },
    },
    {
      name: "the host reboots twice in a row",
      does: "Pulls the plug, and again up to 2 s after the executor's next start.",
      holds: "All pods come back, once.",
      run: async (scene) => {
        await scene.pods.rentMany(3);
        await scene.powerOff();
        await scene.machine.boot();
        await scene.engine.start();
        await scene.live.stack.executor.start();
        await scene.pauseUpTo(2_000);
        await scene.reboot();
      },
    },
    {
      name: "the host reboots while the agent is away",
      does: "Kills the agent, pulls the plug, boots; the agent is back 10 s later.",
      holds: "The pods run before the agent is back.",
      run: async (scene) => {
        const pods = await scene.pods.rentMany(2);
        await scene.live.stack.agent.kill();
        await scene.powerOff();
        await scene.machine.boot();
        await scene.engine.start();
        const linked = scene.nextLink();
        await scene.live.stack.executor.start();
        await until("the pods to run", 30_000, async () => {
          const states = await Promise.all(pods.map((pod) => startedAt(scene, pod)));
          return states.some((state) => state.startsWith("not")) ? undefined : true;
        });
        await scene.live.stack.agent.start();
        await linked();
      },
    },
    {
      name: "the engine restarts with the host up, and the executor is away",
      does: "Kills executor and dockerd (with live-restore), starts the executor first.",
      holds: "No renter notices.",
      run: async (scene) => {
        await scene.pods.counting(2);
        await scene.killExecutor();
        await scene.engine.kill9();
        await scene.live.stack.executor.start();
        await scene.pauseUpTo(3_000);
        await scene.engine.start();
        await scene.restartExecutor();
      },
    },
    {
      name: "a start of the executor with a wedged pod",
      does: "Freezes the shim of one pod with a call to it under way, and restarts the executor.",
      holds: "The other pods are adopted within 5 s of its start.",
      run: async (scene) => {
        const wedged = await scene.pods.rent();
        const others = await scene.pods.counting(4);
        const shim = await scene.engine.shimOf(`lium-${wedged.podId}`);
        signal(shim.pid, "SIGSTOP");
        const container = scene.engine.docker.getContainer(`lium-${wedged.podId}`);
        container.stop({ t: 1 }).catch(() => undefined);
        await scene.pause(1_500);
        const began = performance.now();
        await scene.restartExecutor();
        for (const { podId } of others) await scene.pods.untilPhase(podId, "running", 8_000);
        const took = performance.now() - began;
        signal(shim.pid, "SIGCONT");
        assert.ok(took < 8_000, `it took ${took} ms`);
      },
    },
    {
      name: "the clock jumps 2 h ahead and back",
      does: "Sets the clock of the host 2 h ahead, 10 s later 4 h back, with leases of 1 h; restarts the executor in between.",
      holds: "No lease ends, and no renter notices.",
      run: async (scene) => {
        const lease = { expiresAt: new Date(Date.now() + HOUR_MS).toISOString(), graceSeconds: 0 };
        await scene.pods.counting(2, { lease });
        scene.clock.set(2 * HOUR_MS);
        await scene.pause(10_000);
        await scene.pods.rent({ lease });
        scene.clock.set(-2 * HOUR_MS);
        await scene.pause(3_000);
        await scene.restartExecutor();
        await scene.pods.rent({ lease });
        scene.clock.set(0);
        await scene.holds();
      },
    },
    {
      name: "the executor starts with a clock that is 2 h ahead",
      does: "Sets the clock while the executor is away, starts it, and sets the clock right 5 s later; leases are of 1 h.",
      holds: "No lease ends, and no renter notices.",
      run: async (scene) => {
        const lease = { expiresAt: new Date(Date.now() + HOUR_MS).toISOString(), graceSeconds: 0 };
        await scene.pods.counting(2, { lease });
        await scene.killExecutor();
        scene.clock.set(2 * HOUR_MS);
        await scene.startExecutor();
        await scene.pause(5_000);
        scene.clock.set(0);
        await scene.holds();
      },
    },
    {
      name: "a lease ends while the executor is away",
      does: "Kills the executor, waits for the end of a lease, starts it.",
      holds: "The pod ends at once, for that reason.",
      run: async (scene) => {
        const lease = { expiresAt: new Date(Date.now() + 5_000).toISOString(), graceSeconds: 0 };
        const { podId } = await scene.pods.rent({ lease });
        await scene.killExecutor();
        await scene.pause(6_000);
        await scene.startExecutor();
        assert.equal((await scene.pods.untilOver(podId)).status.endReason, "lease-ended");
      },
    },
  ],
};
