/** The link to the agent breaks, ports are taken, and somebody tampers with the host's network. */
import assert from "node:assert/strict";

import { AppError, toAppError } from "../../../protocol/errors.ts";
import type { FaultGroup } from "../../support/arena/fault.ts";
import { until } from "../../support/arena/wait.ts";
import { PORTS } from "../../support/live.ts";

export const networkFaults: FaultGroup = {
  about: "network",
  faults: [
    {
      name: "the link to the agent cut for 25 s",
      does: "Drops every packet between agent and executor, longer than either trusts a silent link.",
      holds: "The agent says that the host is silent; no renter notices; an exit from meanwhile is told once, after.",
      run: async (scene) => {
        const { podId } = await scene.pods.countingPod();
        const other = await scene.pods.rent({ restart: "never" });
        await scene.link.cut();
        await scene.engine.docker.getContainer(`lium-${other.podId}`).kill();
        await until("the agent to see that the host is silent", 25_000, async () =>
          (await scene.pods.view(podId)).live ? undefined : true,
        );
        await scene.pause(5_000);
        await scene.link.join();
        await scene.pods.untilPhase(other.podId, "exited", 30_000);
        scene.pods.expect(other.podId, "exited");
        const codes: string[] = [];
        for await (const { code } of scene.live.client.podEvents({ params: { podId: other.podId }, query: {} }))
          codes.push(code);
        assert.deepEqual(
          codes.filter((code) => code === "exited"),
          ["exited"],
        );
      },
    },
    {
      name: "the link to the agent flaps",
      short: true,
      does: "Cuts the link eight times for up to 1.5 s while pods are asked for and ended.",
      holds: "Every wish is done, once.",
      run: async (scene) => {
        await scene.pods.countingPod();
        for (let round = 0; round < 4; round += 1) {
          const podId = await scene.pods.ask();
          await scene.link.cutFor(scene.random.int(100, 1_500));
          await scene.pods.untilPhase(podId, "running");
          await scene.pods.end(podId);
          await scene.link.cutFor(scene.random.int(100, 1_500));
          await scene.pods.untilOver(podId);
        }
      },
    },
    {
      name: "a lease ends while the link is cut",
      does: "Cuts the link before a lease ends, for 12 s.",
      holds: "The pod ends on the host by itself, and the agent learns why.",
      run: async (scene) => {
        const lease = { expiresAt: new Date(Date.now() + 5_000).toISOString(), graceSeconds: 0 };
        const { podId } = await scene.pods.rent({ lease });
        await scene.link.cut();
        await until("the container to be gone", 20_000, async () => {
          const containers = await scene.engine.docker.listContainers({ all: true });
          return containers.some(({ Names }) => Names.includes(`/lium-${podId}`)) ? undefined : true;
        });
        await scene.link.join();
        assert.equal((await scene.pods.untilOver(podId)).status.endReason, "lease-ended");
      },
    },
    {
      name: "the host's cable pulled for 3 s",
      does: "Takes the host's only network interface down and up.",
      holds: "Renters' sessions go on after it.",
      run: async (scene) => {
        await scene.pods.counting(2);
        await scene.machine.pullCableFor(3_000);
        await scene.pause(3_000);
      },
    },
    {
      name: "the agent away for 20 s",
      does: "Stops the agent for 20 s while a lease ends and a pod exits.",
      holds: "No renter notices, and the agent learns both.",
      run: async (scene) => {
        await scene.pods.countingPod();
        const lease = { expiresAt: new Date(Date.now() + 8_000).toISOString(), graceSeconds: 0 };
        const leased = await scene.pods.rent({ lease });
        const exiting = await scene.pods.rent({ restart: "never" });
        await scene.live.stack.agent.stop();
        await scene.engine.docker.getContainer(`lium-${exiting.podId}`).kill();
        await scene.pause(20_000);
        const linked = scene.nextLink();
        await scene.live.stack.agent.start();
        await linked();
        await scene.pods.untilOver(leased.podId, 10_000);
        await scene.pods.untilPhase(exiting.podId, "exited", 10_000);
        scene.pods.expect(exiting.podId, "exited");
      },
    },
    {
      name: "demand 36: ports taken by other processes",
      does: "Other programs listen on most of the pods' ports; six pods are asked for.",
      holds: "All come up, on ports that are free.",
      run: async (scene) => {
        const ports = Array.from({ length: PORTS.count }, (_, index) => PORTS.first + index);
        const taken = ports.filter(() => scene.random.next() < 0.85);
        const stop = await scene.listenOn(taken);
        try {
          const pods = await scene.pods.rentMany(6);
          for (const { status } of pods) assert.ok(!taken.includes(status.ssh?.port ?? 0));
          for (const { podId } of pods) await scene.pods.end(podId);
          for (const { podId } of pods) await scene.pods.untilOver(podId);
        } finally {
          await stop();
        }
      },
    },
    {
      name: "demand 36: 100 pods asked for at once",
      does: "Asks for 100 pods with three ports each in one go.",
      holds: "Nobody shares a port; all come up.",
      limitMs: 240_000,
      run: async (scene) => {
        const ports = [{ containerPort: 80 }, { containerPort: 53, protocol: "udp" as const }];
        const small = { ports, memoryBytes: 32 * 2 ** 20, cpus: 0.01 };
        const pods = await Promise.all(Array.from({ length: 100 }, () => scene.pods.ask(small)));
        const views = [];
        for (const podId of pods) views.push(await scene.pods.untilPhase(podId, "running", 120_000));
        const held = views.flatMap(({ status }) => [
          `tcp ${status.ssh?.port}`,
          ...status.ports.map(({ protocol, hostPort }) => `${protocol} ${hostPort}`),
        ]);
        assert.equal(new Set(held).size, 300);
      },
    },
    {
      name: "the port of a stopped pod taken by another process",
      does: "Another program listens on a stopped pod's SSH port; the pod is started, and the program ends 5 s later.",
      holds: "The pod says what is in the way, and comes up when it is gone.",
      run: async (scene) => {
        const pod = await scene.pods.rent();
        await scene.pods.stop(pod.podId);
        const stop = await scene.listenOn([pod.status.ssh?.port ?? 0]);
        await scene.live.client.startPod({ params: { podId: pod.podId } });
        await until("the pod to say that its port is busy", 20_000, async () =>
          (await scene.pods.view(pod.podId)).status.reason?.code === "port-busy" ? true : undefined,
        );
        await stop();
        await scene.pods.untilPhase(pod.podId, "running");
      },
    },
    {
      name: "the firewall flushed",
      does: "Somebody flushes every table of the host, Docker's and ours.",
      holds: "Renters can log in, and new pods too, within a minute.",
      run: async (scene) => {
        await scene.pods.countingPod();
        await scene.machine.run(["iptables", "-F"]);
        await scene.machine.run(["iptables", "-t", "nat", "-F"]);
        await scene.pods.rent();
      },
    },
    {
      name: "demand 15: the firewall cannot be set",
      does: "Takes nft away from the host, and asks for a pod.",
      holds:
        "The pod, or the agent's refusal, says isolation-unavailable, and nothing is started; those that run go on.",
      run: async (scene) => {
        await scene.pods.countingPod();
        await scene.machine.run(["mount", "--bind", "/dev/null", "/usr/sbin/nft"]);
        try {
          // That the firewall was there a moment ago counts for a moment.
          await scene.pause(2_000);
          const asked = await scene.pods.ask().catch(toAppError);
          // The host may have told the agent by then, which asks it for no pods any more.
          if (asked instanceof AppError) {
            assert.equal(asked.code, "no-capacity");
            assert.match(JSON.stringify(asked.details), /isolation-unavailable/);
          } else {
            await until("the pod to say why it does not start", 30_000, async () => {
              const { status } = await scene.pods.view(asked);
              assert.notEqual(status.phase, "running");
              return status.reason?.code === "isolation-unavailable" ? true : undefined;
            });
          }
        } finally {
          await scene.machine.run(["umount", "/usr/sbin/nft"]);
        }
      },
    },
    {
      name: "a pod taken off its network",
      does: "Disconnects a running pod from its network in the engine.",
      holds: "It is degraded within 60 s, and a restart that its renter asks for brings it back.",
      run: async (scene) => {
        const { podId } = await scene.pods.rent();
        const { NetworkSettings } = await scene.engine.docker.getContainer(`lium-${podId}`).inspect();
        const [network = ""] = Object.keys(NetworkSettings.Networks);
        await scene.engine.docker.getNetwork(network).disconnect({ Container: `lium-${podId}`, Force: true });
        await scene.pods.untilPhase(podId, "degraded", 60_000);
        await scene.live.client.restartPod({ params: { podId } });
        await scene.pods.untilPhase(podId, "running");
      },
    },
  ],
};
