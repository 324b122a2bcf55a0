/** What the executor wrote is damaged or lost; what only looks like ours lies about. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";

import type { FaultGroup } from "../../support/arena/fault.ts";
import type { Scene } from "../../support/arena/scene.ts";
import { until } from "../../support/arena/wait.ts";

const HOUR_MS = 3_600_000;
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

export const stateFaults: FaultGroup = {
  about: "state",
  faults: [
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
      name: "demand 6: leftovers of pods that nobody knows",
      does: "Makes a container, a network and a volume with our labels, of no pod, and the same without our labels.",
      holds: "The first go after the grace period of 15 s, not before; the others stay.",
      run: async (scene) => {
        const { podId } = await scene.pods.countingPod();
        const { docker } = scene.engine;
        const { Config } = await docker.getContainer(`lium-${podId}`).inspect();
        const host = { "lium.host": Config.Labels["lium.host"] ?? "" };
        const stranger = { "lium.pod": "01a20747-70df-77bb-95b3-3c30e1685672", ...host };
        await docker.createVolume({ Name: "stray", Labels: stranger });
        await docker.createVolume({ Name: "other" });
        const strays = [
          await docker.createContainer({ name: "stray", Image: scene.image, Cmd: ["true"], Labels: stranger }),
          await docker.createNetwork({ Name: "stray", Labels: { "lium.network": "stray", ...host } }),
          docker.getVolume("stray"),
        ];
        const others = [
          await docker.createContainer({ name: "other", Image: scene.image, Cmd: ["true"] }),
          await docker.createNetwork({ Name: "other" }),
          docker.getVolume("other"),
        ];
        await scene.pause(8_000);
        await Promise.all(strays.map((stray) => stray.inspect()));
        await until("the leftovers to be gone", 40_000, async () => {
          const left = await Promise.allSettled(strays.map((stray) => stray.inspect()));
          assert.deepEqual(
            left.map(({ status }) => status),
            ["rejected", "rejected", "rejected"],
          );
          return true as const;
        });
        for (const other of others) {
          await other.inspect();
          await other.remove();
        }
      },
    },
    {
      name: "demand 31: the metering ledger under kills and clocks that jump",
      does: "Kills the executor three times and sets its clock an hour ahead and back while a pod with a GPU runs.",
      holds: "The seconds of the GPU are off by at most 1 s for each restart, and the chain is whole.",
      run: async (scene) => {
        const { podId } = await scene.pods.rent({ gpus: { count: 1 } });
        const began = performance.now();
        for (const offsetMs of [HOUR_MS, -HOUR_MS, 0]) {
          await scene.pauseUpTo(4_000);
          scene.clock.set(offsetMs);
          await scene.pauseUpTo(2_000);
          await scene.restartExecutor();
        }
        const truth = (performance.now() - began) / 1000;
        await scene.pods.end(podId);
        await scene.pods.untilOver(podId);
        const { totals } = await scene.host((host) => host.usageTotals({ query: { podId } }));
        const [total] = totals;
        const metered = (total?.billed.gpuSeconds ?? 0) + (total?.unbilled.gpuSeconds ?? 0);
        const { intact, faults } = await scene.host((host) => host.verifyUsage({ query: {} }));
        assert.ok(Math.abs(metered - truth) <= 5, `${metered} s were metered in ${truth} s: ${JSON.stringify(total)}`);
        assert.deepEqual([intact, faults], [true, []]);
      },
    },
  ],
};
