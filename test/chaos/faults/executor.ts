/** The executor dies, hangs or is doubled, at any moment of its work. */
import type { FaultGroup } from "../../support/arena/fault.ts";

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
          await scene.pause(scene.random.int(0, 400));
          await scene.restartExecutor();
          await scene.pods.untilPhase(podId, "running");
        }
      },
    },
  ],
};
