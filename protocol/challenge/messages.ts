/**
 * The messages of a challenge: create, commit, reveal, and an answer from each GPU. Each names the one before by its digest, and
 * the challenge names everything that an answer is bound to. What host and agent say is signed by both.
 */
import { createHash } from "node:crypto";

import { z } from "zod";

import { GpuUuid, Hotkey, Instant } from "../ids.ts";
import { base64, Digest, DIGEST_BYTES } from "./bytes.ts";
import { pathLength, ROWS_PER_DIGEST } from "./merkle.ts";
import { Signatures } from "./signatures.ts";
import { GpuTask } from "./task.ts";

const MAX_GPUS = 16;
const MAX_ROUNDS = 16;
const MAX_OPENINGS = 128;
const MAX_PATH_BYTES = DIGEST_BYTES * pathLength(2 ** 26);
const MAX_ROW_BYTES = 4 * 2 ** 16;
const MAX_PRODUCT_BYTES = (DIGEST_BYTES * 2 ** 26) / ROWS_PER_DIGEST;
const MAX_STATES_BYTES = 4 * 2 ** 20;
const Deadline = z
  .int()
  .min(100)
  .max(30 * 60_000);

export const Challenge = z.strictObject({
  version: z.literal(1),
  /** Fresh for every challenge; a second answer to it is refused. */
  nonce: Digest,
  validator: Hotkey,
  agent: Hotkey,
  /** base64 of the ed25519 key of the host's executor. */
  hostKey: base64(32, 32),
  /** All of them work at the same time, each on matrices of its own. */
  gpus: z
    .array(GpuUuid)
    .min(1)
    .max(MAX_GPUS)
    .refine((gpus) => new Set(gpus).size === gpus.length, "must name each GPU once"),
  task: GpuTask,
  issuedAt: Instant,
  /** From the challenge to the commitment, and from the reveal to the last answer, by the validator's clock. */
  commitWithinMs: Deadline,
  answerWithinMs: Deadline,
});
export type Challenge = z.infer<typeof Challenge>;

/** One root for each round of `compute`; none for `memory`, whose commitment says that the memory is filled. */
export const CommitBody = z.strictObject({
  challenge: Digest,
  gpus: z
    .array(z.strictObject({ uuid: GpuUuid, roots: z.array(Digest).max(MAX_ROUNDS) }))
    .min(1)
    .max(MAX_GPUS),
});
export type CommitBody = z.infer<typeof CommitBody>;

/** What the validator kept to itself until the commitment: vectors, rows and walks all follow from the secret. */
export const Reveal = z.strictObject({ commit: Digest, secret: Digest });
export type Reveal = z.infer<typeof Reveal>;

/** The words of a row, and the digests beside its way up the tree, each as one run of bytes. */
export const OpenedRow = z.strictObject({ words: base64(4, MAX_ROW_BYTES), path: base64(0, MAX_PATH_BYTES) });
export type OpenedRow = z.infer<typeof OpenedRow>;

export const ComputeResult = z.strictObject({
  kind: z.literal("compute"),
  /** The last round's C times the four vectors, told by the digest of each run of rows: the verifier knows what it must be. */
  product: base64(DIGEST_BYTES, MAX_PRODUCT_BYTES),
  /** By round, and in each in the order that the secret gives. */
  opened: z.array(z.array(OpenedRow).max(MAX_OPENINGS)).max(MAX_ROUNDS),
});
export type ComputeResult = z.infer<typeof ComputeResult>;

/** Where each walk ended: one word each. */
export const MemoryResult = z.strictObject({ kind: z.literal("memory"), ends: base64(4, MAX_STATES_BYTES) });
export type MemoryResult = z.infer<typeof MemoryResult>;

export const GpuResult = z.discriminatedUnion("kind", [ComputeResult, MemoryResult]);
export type GpuResult = z.infer<typeof GpuResult>;

/** Of one GPU, so that each is sent when it is ready and none is too long to send. */
export const AnswerBody = z.strictObject({ reveal: Digest, gpu: GpuUuid, result: GpuResult });
export type AnswerBody = z.infer<typeof AnswerBody>;

export const Commit = z.strictObject({ body: CommitBody, signatures: Signatures });
export type Commit = z.infer<typeof Commit>;

export const Answer = z.strictObject({ body: AnswerBody, signatures: Signatures });
export type Answer = z.infer<typeof Answer>;

/** SHA-256 of the one spelling of a message: no blanks, the names of every object in order. */
export function digestOf(message: unknown): string {
  return createHash("sha256").update(canonicalJson(message)).digest("hex");
}

/** No blanks, the names of every object in order. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, content]) => `${JSON.stringify(name)}:${canonicalJson(content)}`).join(",")}}`;
}
