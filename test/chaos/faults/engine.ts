/** The engine dies or hangs, with what belongs to it. */
import type { FaultGroup } from "../../support/arena/fault.ts";

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
  ],
};
