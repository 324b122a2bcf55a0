/** A challenge that cannot be met says why in a code, costs its deadline and no more, and leaves nothing behind. */
import { afterEach, describe, expect, it } from "vitest";

import { ChallengeRun, listOpenClDevices, type ProverOptions } from "../../executor/challenges/prover.ts";
import { shapeFilling } from "../../protocol/challenge/task.ts";
import { challengeOf, someDigest } from "../support/challenges/honest.ts";
import { never, runOnProcessor, soon, workerParts } from "../support/challenges/run.ts";

const GIB = 2 ** 30;
const small = challengeOf({ kind: "compute", rows: 128, inner: 128, columns: 128, rounds: 1, openings: 8 });
const [gpu] = small.gpus;
const reveal = { commit: someDigest("commit"), secret: someDigest("secret") };
const runs: ChallengeRun[] = [];

afterEach(async () => {
  for (const run of runs.splice(0)) await run.close();
});

describe("a machine", () => {
  it("without OpenCL says no-library", async () => {
    expect(await listed({ library: "libNoOpenCL.so.9" })).toMatchObject({ ok: false, code: "no-library" });
  });

  it("with OpenCL but no vendor's part of it says no-platform", async () => {
    expect(await listed({ env: { OCL_ICD_VENDORS: "/var/empty/" } })).toMatchObject({ ok: false, code: "no-platform" });
  });

  it("shows its devices, and which of them are processors", async () => {
    const found = await listed({});

    expect(found.ok && found.devices.map(({ isCpu }) => isCpu)).toContain(true);
  });
});

describe("a GPU", () => {
  it("that is not there says no-device, and a processor does not stand in for it", async () => {
    for (const device of [
      {},
      { uuid: "GPU-12345678", allowCpu: true },
      { pciAddress: "0000:41:00.0", allowCpu: true },
    ]) {
      const devices = new Map([[gpu!, device]]);
      const run = new ChallengeRun({ ...small, seedOf: () => Buffer.alloc(32), devices }, workerParts());
      runs.push(run);

      expect((await run.open(never)).get(gpu!)).toMatchObject({ ok: false, code: "no-device" });
    }
  });

  it("with less memory than was asked for says out-of-memory", async () => {
    const task = { kind: "compute", ...shapeFilling(64 * GIB)!, rounds: 1, openings: 8 } as const;
    const run = await opened({ ...small, task });

    expect((await run.commit(soon)).get(gpu!)).toMatchObject({ ok: false, code: "out-of-memory" });
  });

  it("that can allocate too little at a time says unsupported", async () => {
    const run = await opened(small, { maxAllocationBytes: 1024 });

    expect((await run.commit(soon)).get(gpu!)).toMatchObject({ ok: false, code: "unsupported" });
  });

  it("that is not open, or has committed to nothing, says out-of-order", async () => {
    const run = runOnProcessor(small);
    runs.push(run);

    expect((await run.commit(soon)).get(gpu!)).toMatchObject({ ok: false, code: "out-of-order" });
    expect((await run.answer(reveal, soon)).get(gpu!)).toMatchObject({ ok: false, code: "out-of-order" });
  });
});

describe("work that takes too long", () => {
  const long = challengeOf({ kind: "compute", rows: 2 ** 17, inner: 4096, columns: 1024, rounds: 1, openings: 8 });

  it("is ended at its deadline, and what was begun is gone", async () => {
    const run = await opened(long);
    const begun = performance.now();
    const [outcome] = (await run.commit({ timeoutMs: 300, signal: never })).values();

    expect(outcome).toMatchObject({ ok: false, code: "timeout" });
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect((await run.answer(reveal, soon)).get(gpu!)).toMatchObject({ ok: false, code: "out-of-order" });
  });

  it("is ended when nobody wants it any more", async () => {
    const run = await opened(long);
    const stop = AbortSignal.timeout(200);

    await expect(run.commit({ timeoutMs: 60_000, signal: stop })).rejects.toMatchObject({ name: "TimeoutError" });
    await run.close();
  });

  it("is ended by closing the run, which says crashed to who waited", async () => {
    const run = await opened(long);
    const waiting = run.commit(soon);
    await run.close();

    expect((await waiting).get(gpu!)).toMatchObject({ ok: false, code: "crashed" });
  });
});

function listed(options: ProverOptions) {
  return listOpenClDevices(options, workerParts(), never);
}

async function opened(challenge: typeof small, options: ProverOptions = {}): Promise<ChallengeRun> {
  const run = runOnProcessor(challenge, options);
  runs.push(run);
  expect((await run.open(never)).get(gpu!)).toMatchObject({ ok: true });
  return run;
}
