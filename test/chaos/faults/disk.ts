/** Disks fill up, go read-only, and lose what was mounted. */
import assert from "node:assert/strict";

import type { FaultGroup } from "../../support/arena/fault.ts";
import { until } from "../../support/arena/wait.ts";

export const diskFaults: FaultGroup = {
  about: "disks",
  faults: [
    {
      name: "the engine's disk full",
      does: "Fills the disk that containers live on, asks for a pod, and makes room again.",
      holds: "No renter notices; new pods are refused or fail with a reason, and start when there is room.",
      run: async (scene) => {
        await scene.pods.countingPod();
        const release = await scene.machine.fill("engine");
        const podId = await scene.pods.ask().catch(() => undefined);
        if (podId !== undefined) {
          const view = await until("the pod to fail or to say why it does not start", 60_000, async () => {
            const seen = await scene.pods.view(podId);
            return seen.status.reason === undefined ? undefined : seen;
          });
          assert.notEqual(view.status.phase, "running");
        }
        await release();
        await scene.hostIsWell();
        await scene.pods.rent();
      },
    },
    {
      name: "the executor starts with the engine's disk full",
      does: "Restarts the executor while the disk that containers live on is full, and makes room.",
      holds: "No renter notices, and new pods are taken once there is room.",
      run: async (scene) => {
        await scene.pods.countingPod();
        const release = await scene.machine.fill("engine");
        await scene.restartExecutor();
        await release();
        await scene.hostIsWell();
        await scene.pods.rent();
      },
    },
    {
      name: "the state disk full",
      does: "Fills the disk that the ledger is on, asks for a pod, stops one, and makes room 10 s later.",
      holds: "No renter notices; afterwards both wishes are done or refused with a reason.",
      run: async (scene) => {
        await scene.pods.countingPod();
        const stopping = await scene.pods.rent();
        const release = await scene.machine.fill("state");
        await scene.pods.ask().catch(() => undefined);
        await scene.live.client.stopPod({ params: { podId: stopping.podId } });
        await scene.pause(10_000);
        await release();
        await scene.pods.untilPhase(stopping.podId, "stopped");
      },
    },
    {
      name: "the state disk full, and the agent comes back",
      does: "Fills the disk that the ledger is on, and restarts the agent.",
      holds: "The executor links to it again within 30 s, and stays linked.",
      run: async (scene) => {
        const { podId } = await scene.pods.countingPod();
        const release = await scene.machine.fill("state");
        try {
          await scene.restartAgent();
          await scene.pause(5_000);
          assert.equal((await scene.pods.view(podId)).live, true);
        } finally {
          await release();
        }
      },
    },
    {
      name: "the executor starts with a full state disk",
      does: "Kills the executor, fills the disk that the ledger is on, starts the executor, makes room 5 s later.",
      holds: "No renter notices; the executor serves again once there is room.",
      run: async (scene) => {
        await scene.pods.counting(2);
        await scene.killExecutor();
        const release = await scene.machine.fill("state");
        await scene.live.stack.executor.start();
        await scene.pause(5_000);
        await release();
        await scene.restartExecutor();
      },
    },
    {
      name: "the state disk read-only at a start",
      does: "Starts the executor while its disk can only be read, and again when it can be written.",
      holds: "No renter notices; the second start serves as ever.",
      run: async (scene) => {
        await scene.pods.counting(2);
        await scene.killExecutor();
        await scene.machine.remount("state", "ro");
        await scene.live.stack.executor.start();
        await scene.pause(5_000);
        await scene.killExecutor();
        await scene.machine.remount("state", "rw");
        await scene.startExecutor();
      },
    },
    {
      name: "the state disk goes read-only",
      does: "The disk reports an error and turns read-only, as ext4 does; a pod is stopped; then the host is rebooted.",
      holds: "No renter notices until the reboot; afterwards all is as wanted.",
      run: async (scene) => {
        await scene.pods.countingPod();
        const stopping = await scene.pods.rent();
        await scene.machine.failDisk("state");
        await scene.live.client.stopPod({ params: { podId: stopping.podId } });
        await scene.pause(5_000);
        await scene.pods.countersNeverStopped();
        await scene.reboot();
        await scene.pods.untilPhase(stopping.podId, "stopped");
      },
    },
    {
      name: "demand 34: a volume's mount lost",
      does: "Unmounts a volume under a stopped pod, and tries to leave a file where it was mounted.",
      holds: "The pod finds its data when it starts, and nothing else.",
      run: async (scene) => {
        const volume = scene.pods.newVolume(scene.random);
        const pod = await scene.pods.rent({ volume });
        await scene.pods.login(pod, "echo kept > /data/mark; sync");
        await scene.pods.stop(pod.podId);
        const { stdout } = await scene.machine.run([
          "sh",
          "-c",
          `ls -d ${scene.machine.disk("state")}/volumes/vol-*/mnt`,
        ]);
        for (const mountpoint of stdout.trim().split("\n")) {
          await scene.machine.run(["umount", mountpoint], [0, 1, 32]);
          await scene.machine.run(
            ["sh", "-c", `mkdir -p ${mountpoint}/data && echo stale > ${mountpoint}/data/stale`],
            [0, 1],
          );
        }
        const again = await scene.pods.start(pod.podId);
        assert.equal(await scene.pods.login(again, "cat /data/mark; ls /data"), "kept\nmark\n");
      },
    },
  ],
};
