/** The engine dies, hangs or forgets; an outage of it is no pod's death. */
import assert from "node:assert/strict";

import type { FaultGroup } from "../../support/arena/fault.ts";
import { signal } from "../../support/arena/processes.ts";
import { SLOWLY } from "../../support/arena/scene.ts";
import { until } from "../../support/arena/wait.ts";

export const engineFaults: FaultGroup = {
  about: "engine",
  faults: [
    {
      name: "dockerd killed, with live-restore",
      short: true,
      does: "Kills dockerd, and its containerd with it, under three pods, and starts it again a second later.",
      holds: "No renter notices.",
      run: async (scene) => {
        await scene.pods.counting(3);
        await scene.engine.kill9();
        await scene.pause(1_000);
        await scene.engine.start();
      },
    },
    {
      name: "dockerd killed, without live-restore",
      does: "The same with an engine that ends its containers when it starts.",
      holds: "The pods come back by themselves, with their disks; the exit is nobody's fault but ours.",
      run: async (scene) => {
        await scene.engine.restart({ liveRestore: false });
        await scene.hostIsWell();
        const [pod] = [await scene.pods.rent(), await scene.pods.rent()];
        await scene.pods.login(pod, "echo kept > /mark");
        await scene.engine.kill9();
        await scene.pause(1_000);
        await scene.engine.start();
        await scene.pods.allAsWanted();
        assert.equal(await scene.pods.login(pod, "cat /mark"), "kept\n");
        await scene.engine.restart({ liveRestore: true });
      },
    },
    {
      name: "dockerd stopped and started, without live-restore",
      does: "Stops the engine as systemd does, which ends all containers softly, and starts it.",
      holds: "The pods come back by themselves.",
      run: async (scene) => {
        await scene.engine.restart({ liveRestore: false });
        await scene.hostIsWell();
        await scene.pods.rentMany(2);
        await scene.engine.restart();
        await scene.pods.allAsWanted();
        await scene.engine.restart({ liveRestore: true });
      },
    },
    {
      name: "dockerd killed while pods start",
      does: "Asks for five pods and kills dockerd up to 1 s later; it is back after 2 s.",
      holds: "All pods come up, once. Docker forgets ports that it was just publishing, until its next start.",
      engineLeaves: ["cgroups"],
      run: async (scene) => {
        const pods = await Promise.all(Array.from({ length: 5 }, () => scene.pods.ask()));
        await scene.pauseUpTo(1_000);
        await scene.engine.kill9();
        await scene.pause(2_000);
        await scene.engine.start();
        for (const podId of pods) await scene.pods.untilPhase(podId, "running");
        await scene.engine.restart();
      },
    },
    {
      name: "dockerd killed in the middle of a pull",
      does: "Kills dockerd while an image is coming slowly, and starts it.",
      holds: "The pod comes up.",
      run: async (scene) => {
        const { reference } = await scene.registry(SLOWLY);
        const podId = await scene.pods.ask({ image: reference });
        await scene.pods.untilPhase(podId, "pulling");
        await scene.pauseUpTo(2_000);
        await scene.engine.kill9();
        await scene.engine.start();
        await scene.pods.untilPhase(podId, "running");
      },
    },
    {
      name: "dockerd killed while pods end",
      // Killed between taking a link out of a container and deleting it, dockerd forgets it.
      engineLeaves: ["links"],
      does: "Ends three pods and kills dockerd up to 600 ms later; it is back after a second.",
      holds: "They end, and nothing of them is left.",
      run: async (scene) => {
        const pods = await scene.pods.rentMany(3);
        await scene.pods.countingPod();
        await Promise.all(pods.map(({ podId }) => scene.pods.end(podId)));
        await scene.pauseUpTo(600);
        await scene.engine.kill9();
        await scene.pause(1_000);
        await scene.engine.start();
        for (const { podId } of pods) await scene.pods.untilOver(podId);
      },
    },
    {
      name: "dockerd away for 20 s",
      does: "Stops dockerd for 20 s; meanwhile a pod is asked for and another one ended.",
      holds: "Pods turn unknown and nobody is blamed; both wishes are done when it is back.",
      run: async (scene) => {
        const { podId } = await scene.pods.countingPod();
        const ending = await scene.pods.rent();
        await scene.engine.stop();
        await until("the pod to be unknown", 20_000, async () =>
          (await scene.pods.view(podId)).status.phase === "unknown" ? true : undefined,
        );
        await scene.pods.end(ending.podId);
        await scene.pause(15_000);
        await scene.engine.start();
        await scene.pods.untilOver(ending.podId);
      },
    },
    {
      name: "demand 8: SIGSTOP of dockerd for 120 s with 10 pods",
      does: "Freezes dockerd for two minutes.",
      holds: "No pod is called dead or made twice, the host has a problem within 30 s, and all is clear after.",
      limitMs: 300_000,
      run: async (scene) => {
        const pods = await scene.pods.counting(10);
        scene.engine.freeze();
        const frozenAt = performance.now();
        const seen = new Set<string>();
        await until("the host to say that its engine does not answer", 30_000, async () =>
          (await scene.problems()).includes("engine-unavailable") ? true : undefined,
        );
        while (performance.now() - frozenAt < 120_000) {
          for (const { podId } of pods) seen.add((await scene.pods.view(podId)).status.phase);
          await scene.pause(2_000);
        }
        scene.engine.thaw();
        assert.deepEqual(
          [...seen].filter((phase) => phase !== "running" && phase !== "unknown"),
          [],
        );
        await scene.hostIsWell();
      },
    },
    {
      name: "dockerd frozen while pods start",
      does: "Asks for three pods, freezes dockerd up to 500 ms later, for 20 s.",
      holds: "All come up, once.",
      run: async (scene) => {
        const pods = await Promise.all(Array.from({ length: 3 }, () => scene.pods.ask()));
        await scene.pauseUpTo(500);
        await scene.engine.frozenFor(20_000);
        for (const podId of pods) await scene.pods.untilPhase(podId, "running");
      },
    },
    {
      name: "executor restarted while dockerd is frozen",
      does: "Freezes dockerd, restarts the executor, thaws dockerd 15 s later.",
      holds: "The executor comes up within 15 s and calls no pod dead.",
      run: async (scene) => {
        const { podId } = await scene.pods.countingPod();
        scene.engine.freeze();
        try {
          await scene.killExecutor();
          const began = performance.now();
          await scene.startExecutor();
          assert.ok(performance.now() - began < 15_000, `it took ${performance.now() - began} ms`);
          await scene.pods.untilPhase(podId, "unknown", 30_000);
        } finally {
          scene.engine.thaw();
        }
      },
    },
    {
      name: "containerd killed",
      does: "Kills containerd under dockerd, which starts another; asks for a pod.",
      holds: "No renter notices, and the new pod comes up.",
      run: async (scene) => {
        await scene.pods.countingPod();
        signal(scene.engine.containerd().pid, "SIGKILL");
        await scene.pods.rent();
      },
    },
    {
      name: "containerd frozen",
      does: "Freezes containerd for 15 s and asks for a pod and for an end meanwhile.",
      holds: "No renter notices, and both are done after.",
      run: async (scene) => {
        await scene.pods.countingPod();
        const ending = await scene.pods.rent();
        const { pid } = scene.engine.containerd();
        signal(pid, "SIGSTOP");
        const asked = await scene.pods.ask();
        await scene.pods.end(ending.podId);
        await scene.pause(15_000);
        signal(pid, "SIGCONT");
        await scene.pods.untilPhase(asked, "running");
        await scene.pods.untilOver(ending.podId);
      },
    },
    {
      name: "an image removed under its pods",
      does: "Pulls an image for a pod, removes the image by force, stops and starts the pod.",
      holds: "The pod starts again.",
      run: async (scene) => {
        const { reference } = await scene.registry();
        const { podId } = await scene.pods.rent({ image: reference });
        await scene.engine.docker
          .getImage(reference)
          .remove({ force: true })
          .catch(() => undefined);
        await scene.pods.stop(podId);
        await scene.pods.start(podId);
      },
    },
  ],
};
