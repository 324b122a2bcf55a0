/**
 * What GPUs prove, from the challenge to the last answer: held against everybody else meanwhile, each step signed by the host.
 */
import type { Clock } from "../../common/clock.ts";
import { digestOf, type Reveal } from "../../protocol/challenge/messages.ts";
import { gpuSeed } from "../../protocol/challenge/seeds.ts";
import { signStatement } from "../../protocol/challenge/signing.ts";
import { AppError } from "../../protocol/errors.ts";
import type { GpuUuid } from "../../protocol/ids.ts";
import type { WorkerParts } from "../gpus/children/worker-process.ts";
import type { HostIdentity, Proving } from "./desk.ts";
import type { DeviceChoice } from "./opencl/devices.ts";
import { ChallengeRun, type Outcomes, type ProverOptions } from "./prover.ts";

export interface GpuProofDeps extends WorkerParts {
  readonly identity: HostIdentity;
  /** Where OpenCL finds these GPUs. Throws `gpu-unknown`, or `challenge-refused` for one that cannot be asked. */
  readonly devicesOf: (gpus: readonly GpuUuid[]) => ReadonlyMap<GpuUuid, DeviceChoice>;
  /** Runs `work` while nobody else can get these; throws `gpu-taken` where somebody has one. */
  readonly holding: <T>(gpus: readonly GpuUuid[], work: () => Promise<T>) => Promise<T>;
  readonly prover: ProverOptions;
  readonly clock: Clock;
}

/** The validator's own clock is stricter; this only ends what nobody waits for. */
const REVEAL_MS = 300_000;

/** Throws what kept the GPUs from it. */
export function proveGpus(proving: Proving, deps: GpuProofDeps): Promise<void> {
  const { challenge } = proving;
  const devices = deps.devicesOf(challenge.gpus);
  return deps.holding(challenge.gpus, async () => {
    const { gpus, task } = challenge;
    const seedOf = (gpu: GpuUuid): Buffer => gpuSeed(challenge, gpu);
    const run = new ChallengeRun({ ...deps.prover, gpus, task, seedOf, devices }, deps);
    try {
      await prove(run, proving, deps);
    } finally {
      await run.close();
    }
  });
}

async function prove(run: ChallengeRun, proving: Proving, { identity, clock }: GpuProofDeps): Promise<void> {
  const { id, challenge, tell, signal } = proving;
  const sign = (bytes: Uint8Array): Uint8Array => identity.sign(bytes);
  all(await run.open(signal));
  const committed = all(await run.commit({ timeoutMs: challenge.commitWithinMs, signal }));
  const body = { challenge: id, gpus: [...committed].map(([uuid, { roots }]) => ({ uuid, roots })) };
  await tell({ said: "committed", id, body, signature: signStatement(challenge, { step: "commit", body }, sign) });
  const reveal = await soon(proving.revealed, clock, signal);
  if (reveal.commit !== digestOf(body)) {
    throw new AppError("challenge-refused", { message: "The reveal is for another commitment." });
  }
  const answered = all(await run.answer(reveal, { timeoutMs: challenge.answerWithinMs, signal }));
  for (const [gpu, { result }] of answered) {
    const said = { reveal: digestOf(reveal), gpu, result };
    const signature = signStatement(challenge, { step: "answer", body: said }, sign);
    await tell({ said: "answered", id, body: said, signature });
  }
}

async function soon(revealed: Promise<Reveal>, clock: Clock, signal: AbortSignal): Promise<Reveal> {
  const waited = new AbortController();
  const late = clock.sleep(REVEAL_MS, AbortSignal.any([signal, waited.signal])).then(() => {
    throw new AppError("deadline-exceeded", { message: "Nothing was revealed." });
  });
  try {
    return await Promise.race([revealed, late]);
  } finally {
    waited.abort();
    late.catch(() => undefined);
  }
}

/** Throws where one GPU did not do it. */
function all<T extends { readonly ok: true }>(outcomes: Outcomes<T>): ReadonlyMap<GpuUuid, T> {
  const done = new Map<GpuUuid, T>();
  for (const [gpu, outcome] of outcomes) {
    if (outcome.ok) done.set(gpu, outcome);
    else
      throw new AppError("challenge-failed", { message: `${gpu}: ${outcome.code}: ${outcome.detail}`.slice(0, 1_000) });
  }
  return done;
}
