/** The executor and the agent die, hang or are doubled, at any moment of their work. */
import assert from "node:assert/strict";
import { join } from "node:path";

import type { FaultGroup } from "../../support/arena/fault.ts";
import { signal } from "../../support/arena/processes.ts";
import { SLOWLY } from "../../support/arena/scene.ts";
import { until } from "../../support/arena/wait.ts";

const EXECUTOR = join(import.meta.dirname, "../../../executor/cli/main.ts");

export const executorFaults: FaultGroup = {
  about: "executor",
  faults: [
    {
      name: "executor killed at random points of a start",
      short: true,
      does: "Asks for a pod, kills the executor up to 400 ms later, starts it again; six times.",
      holds: "Each pod comes up, once.",
      run: async (scene) => {
        for (let round = 0; round < 6; round += 1) {
          const podId = await scene.pods.ask();
          await scene.pauseUpTo(400);
          await scene.restartExecutor();
          await scene.pods.untilPhase(podId, "running");
        }
      },
    },
    {
      name: "executor closed at random points of a start",
      does: "Asks for a pod, ends the executor as systemd does up to 400 ms later, starts it again; four times.",
      holds: "Each pod comes up, once.",
      run: async (scene) => {
        for (let round = 0; round < 4; round += 1) {
          const podId = await scene.pods.ask();
          await scene.pauseUpTo(400);
          await scene.live.stack.executor.stop();
          await scene.startExecutor();
          await scene.pods.untilPhase(podId, "running");
        }
      },
    },
    {
      name: "executor killed at random points of an end",
      does: "Ends three pods, one after the other, and kills the executor up to 1 s into each.",
      holds: "They end, and nothing of them is left.",
      run: async (scene) => {
        for (const { podId } of await scene.pods.rentMany(3)) {
          await scene.pods.end(podId);
          await scene.pauseUpTo(1_000);
          await scene.restartExecutor();
          await scene.pods.untilOver(podId);
        }
      },
    },
    {
      name: "executor killed in the middle of a pull",
      does: "Kills the executor twice while an image is coming slowly.",
      holds: "The pod comes up, and its neighbours notice nothing.",
      run: async (scene) => {
        await scene.pods.countingPod();
        const { reference } = await scene.registry(SLOWLY);
        const podId = await scene.pods.ask({ image: reference });
        for (let round = 0; round < 2; round += 1) {
          await scene.pods.untilPhase(podId, "pulling");
          await scene.pauseUpTo(1_500);
          await scene.restartExecutor();
        }
      },
    },
    {
      name: "executor killed while keys change",
      does: "Adds a key and takes it away again, and kills the executor up to 100 ms after each.",
      holds: "Who has the key gets in while it is there, and not after.",
      run: async (scene) => {
        const { podId } = await scene.pods.countingPod();
        const second = await scene.pods.makeKey("second");
        for (let round = 0; round < 2; round += 1) {
          await scene.live.client.addSshKey({ params: { podId }, body: { key: second.publicKey } });
          await scene.pauseUpTo(100);
          await scene.restartExecutor();
          await scene.pods.untilKeyWorks(podId, second.file, true);
          const { fingerprint } = second;
          await scene.live.client.removeSshKey({ params: { podId }, query: { fingerprint } });
          await scene.pauseUpTo(100);
          await scene.restartExecutor();
          await scene.pods.untilKeyWorks(podId, second.file, false);
        }
      },
    },
    {
      name: "executor killed while a pod stops and starts",
      does: "Stops and starts a pod twice, and kills the executor up to 600 ms into each.",
      holds: "It stops and starts, and its disk is kept.",
      run: async (scene) => {
        const pod = await scene.pods.rent();
        const params = { podId: pod.podId };
        await scene.pods.login(pod, "echo kept > /mark");
        for (let round = 0; round < 2; round += 1) {
          await scene.live.client.stopPod({ params });
          await scene.pauseUpTo(600);
          await scene.restartExecutor();
          await scene.pods.untilPhase(pod.podId, "stopped");
          await scene.live.client.startPod({ params });
          await scene.pauseUpTo(600);
          await scene.restartExecutor();
          assert.equal(
            await scene.pods.login(await scene.pods.untilPhase(pod.podId, "running"), "cat /mark"),
            "kept\n",
          );
        }
      },
    },
    {
      name: "executor killed during volume work",
      does: "Three pods in turn use one volume; the executor is killed up to 500 ms into each start and end.",
      holds: "Each finds what the ones before it wrote.",
      run: async (scene) => {
        const volume = scene.pods.newVolume(scene.random);
        for (let round = 1; round <= 3; round += 1) {
          const podId = await scene.pods.ask({ volume });
          await scene.pauseUpTo(500);
          await scene.restartExecutor();
          const pod = await scene.pods.untilPhase(podId, "running");
          assert.equal(await scene.pods.login(pod, "echo x >> /data/marks; wc -l < /data/marks"), `${round}\n`);
          await scene.pods.end(podId);
          await scene.pauseUpTo(500);
          await scene.restartExecutor();
          await scene.pods.untilOver(podId);
        }
      },
    },
    {
      name: "executor killed while ports are given out",
      does: "Asks for eight pods with four ports each at once, and kills the executor twice meanwhile.",
      holds: "All come up, and no port is given out twice.",
      run: async (scene) => {
        const ports = [80, 443, 8_000].map((containerPort) => ({ containerPort, protocol: "tcp" as const }));
        const pods = await Promise.all(Array.from({ length: 8 }, () => scene.pods.ask({ ports })));
        for (let round = 0; round < 2; round += 1) {
          await scene.pauseUpTo(800);
          await scene.restartExecutor();
        }
        for (const podId of pods) await scene.pods.untilPhase(podId, "running");
      },
    },
    {
      name: "executor killed again and again while it starts",
      does: "Kills the executor five times, up to 1.2 s after each start.",
      holds: "No renter notices.",
      run: async (scene) => {
        await scene.pods.counting(4);
        for (let round = 0; round < 5; round += 1) {
          await scene.killExecutor();
          await scene.live.stack.executor.start();
          await scene.pauseUpTo(1_200);
        }
        await scene.restartExecutor();
      },
    },
    {
      name: "executor frozen",
      does: "Stops the executor's process for 20 s, longer than the agent trusts a silent link.",
      holds: "No renter notices; a wish from meanwhile is done after.",
      run: async (scene) => {
        const other = await scene.pods.rent();
        const { podId } = await scene.pods.countingPod();
        const { pid = 0 } = scene.live.stack.executor;
        signal(pid, "SIGSTOP");
        await until("the agent to see that the host is silent", 25_000, async () =>
          (await scene.pods.view(podId)).live ? undefined : true,
        );
        await scene.live.client.stopPod({ params: { podId: other.podId } });
        signal(pid, "SIGCONT");
        await scene.pods.untilPhase(other.podId, "stopped");
      },
    },
    {
      name: "a second executor over the same state",
      does: "Starts another executor with the same configuration while the first one runs.",
      holds: "It refuses to serve, and the first one goes on.",
      run: async (scene) => {
        await scene.pods.countingPod();
        const config = ["--config", join(scene.live.stack.executorDir, "executor.toml")];
        const serve = [process.execPath, EXECUTOR, "serve", ...config];
        const { stdout } = await scene.machine.run(["timeout", "--signal=KILL", "15", ...serve], [0, 1, 2, 3, 4, 5]);
        assert.doesNotMatch(stdout, /linked to the agent/);
      },
    },
    {
      name: "demand 1: an exit after a restart of the executor is reported within two seconds",
      does: "Kills the executor, starts it, and ends the main process of a pod as soon as it was adopted.",
      holds: "The agent says exited within 2 s.",
      run: async (scene) => {
        const { podId } = await scene.pods.rent({ restart: "never" });
        await scene.pods.countingPod();
        await scene.restartExecutor();
        await scene.engine.docker.getContainer(`lium-${podId}`).kill();
        await scene.pods.untilPhase(podId, "exited", 2_000);
        scene.pods.expect(podId, "exited");
      },
    },
    {
      name: "an exit while the executor is away is reported when it is back",
      does: "Kills the executor, then a pod's main process, and starts the executor.",
      holds: "The agent says exited within 5 s, and the other pod is as it was.",
      run: async (scene) => {
        const { podId } = await scene.pods.rent({ restart: "never" });
        await scene.pods.countingPod();
        await scene.killExecutor();
        await scene.engine.docker.getContainer(`lium-${podId}`).kill();
        await scene.startExecutor();
        await scene.pods.untilPhase(podId, "exited", 5_000);
        scene.pods.expect(podId, "exited");
      },
    },
    {
      name: "agent killed at random points of a request",
      does: "Asks for a pod, kills the agent up to 200 ms after it was accepted; three times.",
      holds: "Each accepted pod comes up.",
      run: async (scene) => {
        await scene.pods.countingPod();
        for (let round = 0; round < 3; round += 1) {
          await scene.pods.ask();
          await scene.pauseUpTo(200);
          await scene.restartAgent();
        }
      },
    },
    {
      name: "agent and executor killed together",
      does: "Asks for a pod, kills both daemons up to 300 ms later and starts both; twice.",
      holds: "Each accepted pod comes up, and no renter notices.",
      run: async (scene) => {
        await scene.pods.counting(2);
        for (let round = 0; round < 2; round += 1) {
          await scene.pods.ask();
          await scene.pauseUpTo(300);
          const linked = scene.nextLink();
          const { agent, executor } = scene.live.stack;
          await Promise.all([agent.kill(), executor.kill()]);
          await Promise.all([agent.start(), executor.start()]);
          await linked();
        }
      },
    },
  ],
};
