/** A registry that is slow, busy, broken or lying. */
import assert from "node:assert/strict";

import type { FaultGroup } from "../../support/arena/fault.ts";
import { SLOWLY } from "../../support/arena/scene.ts";

const HALF = 2 * 2 ** 20;

export const imageFaults: FaultGroup = {
  about: "images",
  faults: [
    {
      name: "a registry that breaks the connection",
      does: "Resets the connection in the middle of a layer, twice.",
      holds: "The pod comes up.",
      run: async (scene) => {
        const { reference } = await scene.registry({ kind: "reset", afterBytes: HALF, times: 2 });
        await scene.pods.rent({ image: reference });
      },
    },
    {
      name: "a registry that is too busy",
      does: "Answers 429 for the first two requests for a layer.",
      holds: "The pod comes up.",
      run: async (scene) => {
        const { reference } = await scene.registry({ kind: "status", status: 429, retryAfterSeconds: 1, times: 2 });
        await scene.pods.rent({ image: reference });
      },
    },
    {
      name: "a registry that fails",
      does: "Answers 500 for the first two requests for a layer.",
      holds: "The pod comes up.",
      run: async (scene) => {
        const { reference } = await scene.registry({ kind: "status", status: 500, times: 2 });
        await scene.pods.rent({ image: reference });
      },
    },
    {
      name: "a registry that lies",
      does: "Serves a layer that is not what its digest says.",
      holds: "The pod fails with that reason; nothing is left, and nobody else notices.",
      run: async (scene) => {
        await scene.pods.countingPod();
        const { reference } = await scene.registry({ kind: "wrong-digest" });
        const { status } = await scene.pods.untilOver(await scene.pods.ask({ image: reference }), 110_000);
        assert.match(status.reason?.code ?? "", /^image-/);
      },
    },
    {
      name: "demand 10: five pods of one image",
      does: "Asks for five pods of an image that comes slowly, and ends one of them meanwhile.",
      holds: "The layer is downloaded once; the four others come up.",
      run: async (scene) => {
        const { reference, registry } = await scene.registry(SLOWLY);
        const first = await scene.pods.ask({ image: reference });
        const others = await Promise.all(Array.from({ length: 4 }, () => scene.pods.ask({ image: reference })));
        await scene.pods.untilPhase(first, "pulling");
        await scene.pods.end(first);
        for (const podId of others) await scene.pods.untilPhase(podId, "running");
        const layers = registry.asked.filter(({ kind, method }) => kind === "blob" && method === "GET");
        assert.equal(new Set(layers.map(({ digest }) => digest)).size, layers.length, "something came twice");
      },
    },
  ],
};
