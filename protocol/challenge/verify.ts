/**
 * Checks a whole answer: whose it is and what it answers first, which is cheap, and only then the proof.
 */
import { type Answer, type Challenge, type Commit, digestOf, type Reveal } from "./messages.ts";
import { gpuSeed, questions } from "./seeds.ts";
import { type SignatureChecks, wrongSignature } from "./signing.ts";
import { RIGHT, type Verdict, wrong } from "./verdict.ts";
import { verifyCompute } from "./verify-compute.ts";
import { verifyMemory } from "./verify-memory.ts";

/** To be checked before anything is revealed: that it is for this challenge, for each of its GPUs, and signed by both. */
export function verifyCommit(challenge: Challenge, { body, signatures }: Commit, checks: SignatureChecks): Verdict {
  if (body.challenge !== digestOf(challenge)) return wrong("wrong-binding", "It commits to another challenge.");
  if (
    !sameNames(
      body.gpus.map(({ uuid }) => uuid),
      challenge.gpus,
    )
  ) {
    return wrong("wrong-binding", "It does not commit for the GPUs that were asked, each once and in their order.");
  }
  const rounds = challenge.task.kind === "compute" ? challenge.task.rounds : 0;
  if (body.gpus.some(({ roots }) => roots.length !== rounds))
    return wrong("wrong-shape", "Not one root for each round.");
  return signatureVerdict(wrongSignature(challenge, { step: "commit", body, signatures }, checks));
}

export interface AnswerClaim {
  readonly challenge: Challenge;
  /** As verifyCommit found it right. */
  readonly commit: Commit;
  readonly reveal: Reveal;
  readonly answer: Answer;
  readonly checks: SignatureChecks;
  /** For `memory`: how many walks to follow, and 32 random bytes that nobody else knows. */
  readonly sample: number;
  readonly random: Uint8Array;
}

/** Blocks for as long as the proof takes to check. */
export function verifyAnswer({ challenge, commit, reveal, answer, checks, sample, random }: AnswerClaim): Verdict {
  const { body, signatures } = answer;
  if (reveal.commit !== digestOf(commit.body)) return wrong("wrong-binding", "The reveal is for another commitment.");
  if (body.reveal !== digestOf(reveal)) return wrong("wrong-binding", "It answers another reveal.");
  const committed = commit.body.gpus.find(({ uuid }) => uuid === body.gpu);
  if (committed === undefined) return wrong("wrong-binding", "It is of a GPU that was not asked.");
  const signed = signatureVerdict(wrongSignature(challenge, { step: "answer", body, signatures }, checks));
  if (!signed.ok) return signed;

  const { task } = challenge;
  const asked = { seed: gpuSeed(challenge, body.gpu), questions: questions(reveal, body.gpu) };
  if (task.kind === "compute" && body.result.kind === "compute") {
    return verifyCompute({ ...asked, task, roots: committed.roots, result: body.result });
  }
  if (task.kind === "memory" && body.result.kind === "memory") {
    return verifyMemory({ ...asked, task, result: body.result, sample, random });
  }
  return wrong("wrong-shape", `It answers ${body.result.kind}, not ${task.kind}.`);
}

function signatureVerdict(signer: "host" | "agent" | undefined): Verdict {
  return signer === undefined ? RIGHT : wrong("wrong-signature", `The ${signer}'s signature is wrong.`);
}

function sameNames(given: readonly string[], asked: readonly string[]): boolean {
  return given.length === asked.length && given.every((name, index) => name === asked[index]);
}
