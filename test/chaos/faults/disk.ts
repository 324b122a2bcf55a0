/** Disks fill up, go read-only or lose files; what the executor wrote is damaged. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";

import type { FaultGroup } from "../../support/arena/fault.ts";
import type { Scene } from "../../support/arena/scene.ts";
import { until } from "../../support/arena/wait.ts";

const state = (scene: Scene, path = ""): string => scene.machine.path(join(scene.machine.disk("state"), path));

const CHANGE = `const [file, sql, ...values] = process.argv.slice(1);
  const db = new (require("node:sqlite").DatabaseSync)(file);
  db.prepare(sql).run(...values);
  db.close();`;

/** While nobody has it open. */
async function changeLedger(scene: Scene, sql: string, ...values: string[]): Promise<void> {
  const ledger = join(scene.machine.disk("state"), "ledger.db");
  const [code] = (await once(scene.machine.node(CHANGE, [ledger, sql, ...values]), "exit")) as [number];
  assert.equal(code, 0);
}

function removeLedger(scene: Scene): void {
  for (const name of readdirSync(state(scene))) if (name.startsWith("ledger.db")) rmSync(state(scene, name));
}

export const diskFaults: FaultGroup = {
  about: "disk and state",
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
      name: "demand 24: a damaged record in the ledger",
      does: "Makes one record unreadable, one wrong, one empty, and starts the executor.",
      holds: "No renter notices: they are rebuilt from labels.",
      run: async (scene) => {
        const pods = await scene.pods.counting(4);
        await scene.live.stack.executor.stop();
        const damage = ["{", '{"wanted": 7}', ""];
        for (const [index, text] of damage.entries())
          await changeLedger(scene, "UPDATE pods SET record = ? WHERE pod_id = ?", text, pods[index]?.podId ?? "");
        await scene.startExecutor();
      },
    },
    {
      name: "the ledger lost",
      does: "Kills the executor, removes its ledger, starts it; then ends one pod.",
      holds: "No renter notices: all is rebuilt from labels, and the end is an end.",
      run: async (scene) => {
        await scene.pods.counting(2);
        const { podId } = await scene.pods.rent();
        await scene.killExecutor();
        removeLedger(scene);
        await scene.startExecutor();
        await scene.pods.untilPhase(podId, "running");
        await scene.pods.end(podId);
        await scene.pods.untilOver(podId);
      },
    },
    {
      name: "the ledger lost with stopped pods",
      does: "The same with a pod that its renter stopped, and without the agent, who would remember it.",
      holds: "The stopped pod is not started.",
      run: async (scene) => {
        const { podId } = await scene.pods.rent();
        await scene.pods.stop(podId);
        await scene.live.stack.agent.kill();
        await scene.killExecutor();
        removeLedger(scene);
        await scene.live.stack.executor.start();
        await scene.pause(6_000);
        const { State } = await scene.engine.docker.getContainer(`lium-${podId}`).inspect();
        const linked = scene.nextLink();
        await scene.live.stack.agent.start();
        await linked();
        assert.equal(State.Running, false);
      },
    },
    {
      name: "demand 24: the ledger cut off",
      does: "Kills the executor and cuts its ledger off at a random byte; four times.",
      holds: "The executor starts, and no renter notices.",
      run: async (scene) => {
        await scene.pods.counting(2);
        for (let round = 0; round < 4; round += 1) {
          await scene.killExecutor();
          const path = state(scene, "ledger.db");
          truncateSync(path, scene.random.int(0, statSync(path).size - 1));
          await scene.startExecutor();
        }
      },
    },
    {
      name: "labels that cannot be read",
      does: "Starts a container that carries our label and nothing else; restarts the executor.",
      holds: "It is left alone; no renter notices.",
      run: async (scene) => {
        await scene.pods.countingPod();
        const { docker } = scene.engine;
        const odd = await docker.createContainer({
          Image: scene.image,
          Cmd: ["/bin/busybox", "sleep", "1000"],
          name: "lium-odd",
          Labels: { "lium.pod": "who knows" },
        });
        await odd.start();
        await scene.restartExecutor();
        await scene.pause(2_000);
        assert.equal((await odd.inspect()).State.Running, true);
        await odd.remove({ force: true });
        await scene.restartExecutor();
      },
    },
    {
      name: "demand 6: containers that only look like ours",
      does: "Starts containers with names like ours and without our label, and restarts the executor.",
      holds: "They are left alone.",
      run: async (scene) => {
        const { docker } = scene.engine;
        const names = ["lium-web", "lium-01a20747-70df-77bb-95b3-3c30e1685672", "my-lium"];
        const strangers = await Promise.all(
          names.map((name) =>
            docker.createContainer({ Image: scene.image, Cmd: ["/bin/busybox", "sleep", "1000"], name }),
          ),
        );
        await Promise.all(strangers.map((stranger) => stranger.start()));
        await scene.restartExecutor();
        await scene.pods.rent();
        await scene.pause(2_000);
        for (const stranger of strangers) assert.equal((await stranger.inspect()).State.Running, true);
        await Promise.all(strangers.map((stranger) => stranger.remove({ force: true })));
      },
    },
    {
      name: "the keys of a pod removed",
      does: "Removes a running pod's authorized_keys.",
      holds: "The renter can log in again within a minute.",
      run: async (scene) => {
        const { podId } = await scene.pods.countingPod();
        rmSync(state(scene, `pods/${podId}/.ssh/authorized_keys`));
        await scene.pods.untilKeyWorks(podId, scene.live.keyFile, true);
      },
    },
    {
      name: "the files of a stopped pod removed",
      does: "Removes a stopped pod's folders, host key and secrets included, and starts it.",
      holds: "It comes up.",
      run: async (scene) => {
        const { podId } = await scene.pods.rent();
        await scene.pods.stop(podId);
        rmSync(state(scene, `pods/${podId}`), { recursive: true });
        rmSync(scene.machine.path(`/run/lium-executor/secrets/${podId}`), { recursive: true });
        await scene.pods.start(podId);
      },
    },
    {
      name: "the pod kit removed",
      does: "Removes the kit that pods' SSH servers come from, restarts the executor, stops and starts a pod.",
      holds: "Who is logged in goes on; new starts have a kit.",
      run: async (scene) => {
        const { podId } = await scene.pods.rent();
        rmSync(state(scene, "kit"), { recursive: true });
        await scene.restartExecutor();
        await scene.pods.stop(podId);
        await scene.pods.start(podId);
        await scene.pods.rent();
      },
    },
    {
      name: "demand 34: a volume's mount lost",
      does: "Unmounts a volume's file system under a stopped pod, and leaves its folder with a file in the way.",
      holds: "The pod finds its data when it starts.",
      todo: "volumes are still the engine's own folders",
      run: async () => assert.fail("not written"),
    },
    {
      name: "demand 6: leftovers of pods that nobody knows",
      does: "Makes containers, networks and folders with our labels that belong to no pod.",
      holds: "They go after the grace period, and younger ones and strangers' stay.",
      todo: "leftovers are found by a part that the executor does not start yet",
      run: async () => assert.fail("not written"),
    },
  ],
};
