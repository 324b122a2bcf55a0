/** A challenge goes forward only: each step once, in order, in time by the validator's clock. */
import { describe, expect, it } from "vitest";

import type { Commit } from "../../../../protocol/challenge/messages.ts";
import {
  beginProgress,
  type Progress,
  type Step,
  takeAnswer,
  takeCommit,
  takeReveal,
} from "../../../../protocol/challenge/progress.ts";
import { challengeOf, signCommit, someDigest } from "../../../support/challenges/honest.ts";

const challenge = challengeOf(
  { kind: "memory", rows: 128, inner: 128, columns: 128, walkers: 64, steps: 1 },
  { gpus: ["GPU-1", "GPU-2"] },
);
const [first, second] = challenge.gpus;
const commit: Commit = signCommit(challenge, { challenge: someDigest("x"), gpus: [] });
const secret = someDigest("secret");

describe("the steps of a challenge", () => {
  it("go from the commitment to the last GPU's answer, with the time that each took", () => {
    let progress = beginProgress(challenge, 1_000);
    progress = taken(takeCommit(progress, commit, 3_500));
    progress = taken(takeReveal(progress, secret, 4_000));
    progress = taken(takeAnswer(progress, first!, 4_700));
    progress = taken(takeAnswer(progress, second!, 4_900));

    expect(progress.committed?.tookMs).toBe(2_500);
    expect([...progress.answers]).toEqual([
      [first, 700],
      [second, 900],
    ]);
  });

  it("come in no other order", () => {
    const begun = beginProgress(challenge, 0);
    const committed = taken(takeCommit(begun, commit, 1));

    expect(takeReveal(begun, secret, 1)).toEqual({ ok: false, refusal: "out-of-order" });
    expect(takeAnswer(begun, first!, 1)).toEqual({ ok: false, refusal: "out-of-order" });
    expect(takeAnswer(committed, first!, 1)).toEqual({ ok: false, refusal: "out-of-order" });
  });

  it("are taken once, so that nobody answers twice and no second secret is told", () => {
    const committed = taken(takeCommit(beginProgress(challenge, 0), commit, 1));
    const revealed = taken(takeReveal(committed, secret, 1));
    const answered = taken(takeAnswer(revealed, first!, 2));

    for (const step of [
      takeCommit(committed, commit, 2),
      takeReveal(revealed, secret, 2),
      takeAnswer(answered, first!, 2),
    ]) {
      expect(step).toEqual({ ok: false, refusal: "repeated" });
    }
  });

  it("are refused when they come too late, and from GPUs that were not asked", () => {
    const begun = beginProgress(challenge, 0);
    const revealed = taken(takeReveal(taken(takeCommit(begun, commit, 60_000)), secret, 70_000));
    const [stranger] = challengeOf(challenge.task, { gpus: ["GPU-9"] }).gpus;

    expect(takeCommit(begun, commit, 60_001)).toEqual({ ok: false, refusal: "too-late" });
    expect(takeAnswer(revealed, first!, 130_001)).toEqual({ ok: false, refusal: "too-late" });
    expect(takeAnswer(revealed, stranger!, 70_001)).toEqual({ ok: false, refusal: "not-asked" });
  });
});

function taken(step: Step): Progress {
  if (!step.ok) throw new Error(step.refusal);
  return step.progress;
}
