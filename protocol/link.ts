/**
 * The frames between executor and agent: JSON text over one WebSocket that the executor opens.
 *
 *   agent    -> challenge { nonce }
 *   executor -> hello { identity, signature over the nonce and the agent's certificate, join secret the first time }
 *   agent    -> welcome { hostId, eventCursor }        or   refused { code, message }, then the socket closes
 *   executor -> facts, statuses (all of them first, then what changed), events (from the cursor on)
 *   agent    -> want { pods }     (all that are not over, then what changed), acknowledge { eventCursor }
 *   agent    -> logs { id, ... }  executor -> item/done/failed { id }   agent -> read { id, bytes }, cancel { id }
 *   agent    -> gpus-from { cursor }   executor -> gpus { report }, again and again
 *   agent    -> prove { order }   executor -> proof { news }
 *   agent    -> remedies { forbidden }   whether the host may treat its GPUs by itself
 *
 * A pod that `want` does not name is left alone. The transport's ping and pong tell whether the other side lives.
 */
import { z } from "zod";

import { ChallengeOrder } from "./challenge/exchange.ts";
import { GpuCursor } from "./gpu-report.ts";
import { HostFacts } from "./host.ts";
import { HostId, PodId } from "./ids.ts";
import { LogLine, LogQuery, PodEvent, PodStatus, Reason, WantedPod } from "./pod.ts";

export const LINK_PATH = "/link";
/** A frame larger than this closes the link. */
export const MAX_FRAME_BYTES = 12 * 2 ** 20;
/** How often the agent pings; a side that hears nothing for three times as long gives the socket up. */
export const PING_EVERY_MS = 5_000;

/**
 * Words that not every version knows are said only to who has heard of them: the executor lists those that it knows in this
 * header of its request for the link, with spaces between them, and begins none of them by itself.
 */
export const WORDS_HEADER = "lium-link-words";
export const GPU_WORDS = "gpus/1";
export const REMEDY_WORDS = "remedies/1";
export const CHALLENGE_WORDS = "challenges/1";

/** So much of a log may be on its way or wait for its reader; the executor goes on when `read` tells that some was taken. */
export const LOG_WINDOW_BYTES = 512 * 2 ** 10;

/** What a line counts for in the window: its text, and what every line takes besides. */
export function logLineBytes({ line }: LogLine): number {
  return line.length + 128;
}

/** The bytes that an executor signs to prove its key, bound to the certificate it sees so that nobody can relay them. */
export function helloBytes(nonce: string, certificateFingerprint: string): Uint8Array {
  return new TextEncoder().encode(`lium-link/1\n${nonce}\n${certificateFingerprint}`);
}

export const ToExecutor = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("challenge"), nonce: z.string().min(32).max(128) }),
  z.strictObject({ type: z.literal("welcome"), hostId: HostId, eventCursor: z.int().min(0) }),
  z.strictObject({ type: z.literal("refused"), code: z.string(), message: z.string() }),
  z.strictObject({ type: z.literal("want"), pods: z.array(WantedPod) }),
  z.strictObject({ type: z.literal("acknowledge"), eventCursor: z.int().min(0) }),
  z.strictObject({ type: z.literal("logs"), id: z.int(), podId: PodId, query: z.strictObject(logQueryOnTheWire()) }),
  z.strictObject({ type: z.literal("read"), id: z.int(), bytes: z.int().min(0) }),
  z.strictObject({ type: z.literal("cancel"), id: z.int() }),
  /** What is different since the report with this cursor, or everything; and all that changes from then on. */
  z.strictObject({ type: z.literal("gpus-from"), cursor: GpuCursor.optional() }),
  z.strictObject({ type: z.literal("prove"), order: ChallengeOrder }),
  /** Why the host may neither reset GPUs nor boot by itself; nothing where it may. */
  z.strictObject({ type: z.literal("remedies"), forbidden: z.string().max(400).optional() }),
]);
export type ToExecutor = z.infer<typeof ToExecutor>;

export const ToAgent = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("hello"),
    version: z.int(),
    name: z.string().max(128),
    publicKey: z.string().length(44),
    signature: z.string().length(88),
    joinSecret: z.string().max(128).optional(),
  }),
  z.strictObject({ type: z.literal("facts"), facts: HostFacts }),
  z.strictObject({
    type: z.literal("statuses"),
    /** Whether these are all the pods of the host. */
    complete: z.boolean(),
    pods: z.array(z.strictObject({ status: PodStatus, wanted: WantedPod.optional() })),
  }),
  z.strictObject({ type: z.literal("events"), events: z.array(PodEvent) }),
  z.strictObject({ type: z.literal("item"), id: z.int(), lines: z.array(LogLine) }),
  z.strictObject({ type: z.literal("done"), id: z.int() }),
  z.strictObject({ type: z.literal("failed"), id: z.int(), reason: Reason }),
  /** ChallengeNews. What cannot be read costs the challenge and never the link. */
  z.strictObject({ type: z.literal("proof"), news: z.unknown() }),
  /** A GpuReport. One that cannot be read costs the report and never the link. */
  z.strictObject({ type: z.literal("gpus"), report: z.unknown() }),
]);
export type ToAgent = z.infer<typeof ToAgent>;

/** LogQuery reads text from a query string; on the link its values already have their types. */
function logQueryOnTheWire() {
  return { follow: z.boolean(), tail: z.int(), since: LogQuery.shape.since };
}

/**
 * What an operator carries to a new host: `lium-join1.` and base64url of JSON.
 * The fingerprint is the agent's TLS certificate's SHA-256 in lower-case hex.
 */
export const JoinToken = z.strictObject({
  url: z.url({ protocol: /^wss$/ }),
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  secret: z.string().min(32).max(128),
});
export type JoinToken = z.infer<typeof JoinToken>;

const TOKEN_PREFIX = "lium-join1.";

export function encodeJoinToken(token: JoinToken): string {
  return TOKEN_PREFIX + Buffer.from(JSON.stringify(token)).toString("base64url");
}

/** The token, or undefined when the text is none. */
export function decodeJoinToken(text: string): JoinToken | undefined {
  if (!text.startsWith(TOKEN_PREFIX)) return undefined;
  try {
    return JoinToken.parse(JSON.parse(Buffer.from(text.slice(TOKEN_PREFIX.length), "base64url").toString()));
  } catch {
    return undefined;
  }
}
