/**
 * A process that checks one answer and nothing else, so that what it took of time and memory is the verifier's alone.
 */
import type { ComputeResult, MemoryResult, Reveal } from "../../../protocol/challenge/messages.ts";
import { questions } from "../../../protocol/challenge/seeds.ts";
import type { ComputeTask, MemoryTask } from "../../../protocol/challenge/task.ts";
import type { Verdict } from "../../../protocol/challenge/verdict.ts";
import { verifyCompute } from "../../../protocol/challenge/verify-compute.ts";
import { verifyMemory } from "../../../protocol/challenge/verify-memory.ts";

interface Claim {
  readonly seed: string;
  readonly gpu: string;
  readonly reveal: Reveal;
}

export type VerifierRequest =
  | (Claim & { readonly task: ComputeTask; readonly roots: readonly string[]; readonly result: ComputeResult })
  | (Claim & {
      readonly task: MemoryTask;
      readonly sample: number;
      readonly random: string;
      readonly result: MemoryResult;
    });

export interface VerifierReport {
  readonly verdict: Verdict;
  readonly tookMs: number;
  readonly cpuMs: number;
  readonly peakRssMB: number;
}

process.once("message", (request: VerifierRequest) => {
  const began = performance.now();
  const before = process.cpuUsage();
  const verdict = judge(request);
  const { user, system } = process.cpuUsage(before);
  const report: VerifierReport = {
    verdict,
    tookMs: Math.round(performance.now() - began),
    cpuMs: Math.round((user + system) / 1000),
    peakRssMB: Math.round(process.resourceUsage().maxRSS / 1024),
  };
  process.send?.(report, () => process.disconnect());
});

function judge(request: VerifierRequest): Verdict {
  const seed = Buffer.from(request.seed, "hex");
  const ask = questions(request.reveal, request.gpu);
  if ("roots" in request) return verifyCompute({ ...request, seed, questions: ask });
  return verifyMemory({ ...request, seed, questions: ask, random: Buffer.from(request.random, "hex") });
}
