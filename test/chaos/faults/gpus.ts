/** GPUs are asked for by many at once while whoever gives them out dies. */
import assert from "node:assert/strict";

import { recordFromLabels } from "../../../executor/docker/labels.ts";
import { toAppError } from "../../../protocol/errors.ts";
import type { PodId } from "../../../protocol/ids.ts";
import type { FaultGroup } from "../../support/arena/fault.ts";
import type { Scene } from "../../support/arena/scene.ts";
import { until } from "../../support/arena/wait.ts";

const RENTERS = 200;
/** As many as the arena's host has. */
const GPUS = 4;
/** Requests of one renter who is refused, spread over this time. */
const TRIES = 3;
const RUSH_MS = 25_000;
const ANSWER_MS = 60_000;
const LOOK_EVERY_MS = 100;
const ROUNDS = 5;

export const gpuFaults: FaultGroup = {
  about: "GPUs",
  faults: [
    {
      name: "demand 5: 200 pods asked for at once for all GPUs, executor and agent killed",
      does: `Asks for ${RENTERS} pods with a GPU each at once; who is refused asks again later, who has one gives it back. Meanwhile executor, agent, or both are killed ${ROUNDS} times.`,
      holds: "Every accepted pod runs, and at no time is a GPU in two containers that have not ended.",
      limitMs: 300_000,
      run: async (scene) => {
        const watching = new AbortController();
        const tries = Array.from({ length: RENTERS }, () => triesOf(scene));
        const work = async (): Promise<boolean[]> => {
          const renters = tries.map((delays, n) => rent(scene, `renter-${n}-${scene.random.next()}`, delays));
          const [served] = await Promise.all([Promise.all(renters), killAgainAndAgain(scene)]);
          watching.abort();
          return served;
        };
        const [looks, served] = await Promise.all([watchGpus(scene, watching.signal), work()]);
        const count = served.filter(Boolean).length;

        assert.ok(looks > 0, "nobody looked");
        assert.ok(count >= GPUS, `${count} of ${RENTERS} were given a GPU`);
      },
    },
  ],
};

/** How long a renter waits before each request. */
function triesOf({ random }: Scene): number[] {
  return [0, ...Array.from({ length: TRIES - 1 }, () => random.int(0, RUSH_MS))];
}

async function killAgainAndAgain(scene: Scene): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) {
    await scene.pauseUpTo(3_000);
    await killSome(scene, round);
  }
}

async function killSome(scene: Scene, round: number): Promise<void> {
  const { agent, executor } = scene.live.stack;
  if (round % 3 === 0) return scene.restartExecutor();
  if (round % 3 === 1) return scene.restartAgent();
  const linked = scene.nextLink();
  await Promise.all([agent.kill(), executor.kill()]);
  await Promise.all([agent.start(), executor.start()]);
  await linked();
}

/** Whether the renter was given a GPU; it is used and given back. */
async function rent(scene: Scene, name: string, tries: readonly number[]): Promise<boolean> {
  for (const [index, delayMs] of tries.entries()) {
    await scene.pause(delayMs);
    const podId = await ask(scene, `${name}-${index}`);
    if (podId === undefined) continue;
    await scene.pods.untilPhase(podId, "running", ANSWER_MS);
    await until(`the end of ${podId} to be accepted`, ANSWER_MS, async () => {
      await scene.pods.end(podId);
      return true as const;
    });
    await scene.pods.untilOver(podId);
    return true;
  }
  return false;
}

/** A request that got no answer is made again under the same key, as a validator does; a refusal is an answer. */
function ask(scene: Scene, idempotencyKey: string): Promise<PodId | undefined> {
  const lease = { expiresAt: new Date(Date.now() + 3_600_000).toISOString() };
  const spec = scene.live.spec({ image: scene.image, lease, gpus: { count: 1 } });
  return until("an answer", ANSWER_MS, async () => {
    try {
      const { podId } = await scene.live.client.createPod({ body: { spec, idempotencyKey } });
      return { podId };
    } catch (error) {
      if (toAppError(error).code === "no-capacity") return { podId: undefined };
      throw error;
    }
  }).then(({ podId }) => podId);
}

/** Looks at the engine's containers again and again; resolves with the number of looks, and rejects at what must not be. */
async function watchGpus(scene: Scene, signal: AbortSignal): Promise<number> {
  let looks = 0;
  const filters = { label: ["lium.pod"] };
  while (!signal.aborted) {
    const containers = await scene.engine.docker.listContainers({ all: true, filters });
    const held = containers
      .filter(({ State }) => State !== "exited")
      .flatMap(({ Labels }) => recordFromLabels(Labels)?.wanted.gpus ?? []);
    assert.deepEqual(held, [...new Set(held)], "a GPU is in two containers");
    looks += 1;
    await scene.pause(LOOK_EVERY_MS);
  }
  return looks;
}
