/** The long ones: everything at once, again and again, under twenty renters at work. */
import assert from "node:assert/strict";

import type { PodId } from "../../../protocol/ids.ts";
import { isOver } from "../../../protocol/pod.ts";
import type { FaultGroup } from "../../support/arena/fault.ts";
import { type Scene, SLOWLY } from "../../support/arena/scene.ts";

const RENTERS = 20;
const ROUNDS = 50;
/** Every so many rounds dockerd is killed too. */
const ENGINE_EVERY = 5;
const ADOPTED_MS = 5_000;

/** Something that the executor is in the middle of when it dies. Resolves once it is asked for. */
type Work = (scene: Scene, others: PodId[]) => Promise<void>;

const starts: Work = async (scene, others) => void others.push(await scene.pods.ask());

const pulls: Work = async (scene, others) => {
  const { reference } = await scene.registry(SLOWLY);
  others.push(await scene.pods.ask({ image: reference }));
};

const usesVolume: Work = async (scene, others) => {
  const volume = scene.pods.newVolume(scene.random);
  others.push(await scene.pods.ask({ volume }));
};

const usesPorts: Work = async (scene, others) => {
  others.push(await scene.pods.ask({ ports: [{ containerPort: 80 }, { containerPort: 53, protocol: "udp" }] }));
};

const ends: Work = async (scene, others) => {
  const podId = others.shift();
  if (podId !== undefined) await scene.pods.end(podId);
};

const stops: Work = async (scene, others) => {
  const [podId] = others;
  if (podId === undefined) return;
  if (isOver((await scene.pods.view(podId)).status.phase)) throw new Error(`${podId} is over`);
  await scene.live.client.stopPod({ params: { podId } });
  await scene.live.client.startPod({ params: { podId } });
};

const WORK: readonly Work[] = [starts, pulls, usesVolume, usesPorts, ends, ends, ends, stops];

export const longFaults: FaultGroup = {
  about: "long",
  faults: [
    {
      name: `demand 1: ${ROUNDS} kills of the executor and ${ROUNDS / ENGINE_EVERY} of dockerd under ${RENTERS} renters`,
      does: "Kills the executor at random points of starts, pulls, ends, volume and port work, and dockerd now and then.",
      holds:
        "No counter ever stops; all are adopted within 5 s; no duplicate, no leaked port, volume, network or mount.",
      engineLeaves: ["cgroups", "links", "firewall"],
      limitMs: 600_000,
      run: async (scene) => {
        const renters = await scene.pods.counting(RENTERS);
        const others: PodId[] = [];
        let slowestMs = 0;
        for (let round = 1; round <= ROUNDS; round += 1) {
          await scene.random.pick(WORK)(scene, others);
          await scene.pauseUpTo(800);
          await scene.killExecutor();
          if (round % ENGINE_EVERY === 0) {
            await scene.engine.kill9();
            await scene.engine.start();
          }
          const began = performance.now();
          await scene.startExecutor();
          for (const { podId } of renters) await scene.pods.untilPhase(podId, "running", ADOPTED_MS);
          slowestMs = Math.max(slowestMs, performance.now() - began);
          await scene.noDuplicates();
          await scene.hostIsWell();
        }
        assert.ok(slowestMs < ADOPTED_MS, `adopting all took up to ${Math.round(slowestMs)} ms`);
        // What Docker was just publishing when it was killed it keeps until its next start.
        await scene.engine.restart();
        await scene.hostIsWell();
        await scene.holds();
      },
    },
    {
      name: "random wishes under random faults",
      does: "For a minute, asks for pods, ends, stops and starts them, and kills or freezes what it likes.",
      holds: "In the end every wish is done.",
      limitMs: 240_000,
      engineLeaves: ["cgroups", "links", "firewall"],
      run: async (scene) => {
        await scene.pods.counting(3);
        const others: PodId[] = [];
        const blows = [
          () => scene.restartExecutor(),
          () => scene.restartAgent(),
          () => scene.engine.frozenFor(scene.random.int(100, 4_000)),
          () => scene.link.cutFor(scene.random.int(100, 4_000)),
          async () => {
            await scene.engine.kill9();
            await scene.engine.start();
          },
        ];
        for (const until = performance.now() + 60_000; performance.now() < until;) {
          // A host that is away or in trouble is given nothing new.
          await scene.random
            .pick(WORK)(scene, others)
            .catch(() => undefined);
          await scene.pauseUpTo(500);
          await scene.random.pick(blows)();
        }
        await scene.holds();
        await scene.engine.restart();
        await scene.hostIsWell();
      },
    },
  ],
};
