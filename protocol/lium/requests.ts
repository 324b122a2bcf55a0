/**
 * What Lium's validators send, both generations: the later one's fields are taken when they are there.
 *
 * Numbers and truth values may come as text, and fields that we do not know are left out, as the network's own software
 * does; every text has a length limit. Whatever the bytes are, reading them gives an answer and throws nothing.
 */
import { z } from "zod";

const MAX_KEY_LENGTH = 16_384;

const Address = z.string().max(64);
const Signature = z.string().regex(/^0x[0-9a-fA-F]{128}$/);
const Nonce = z.string().regex(/^[0-9a-fA-F]{64}$/);
const KeyText = z.string().max(MAX_KEY_LENGTH);
const ExecutorId = z.string().max(64);
const WholeNumber = z.union([
  z.int(),
  z
    .string()
    .regex(/^[0-9]{1,15}(\.0+)?$/)
    .max(32)
    .transform(Number),
]);
const Truth = z.union([z.boolean(), z.stringbool(), z.literal([0, 1]).transform((bit) => bit === 1)]);

export const AuthenticateRequest = z.object({
  message_type: z.literal("AuthenticateRequest"),
  payload: z.object({ validator_hotkey: Address, miner_hotkey: Address, timestamp: WholeNumber }),
  signature: Signature,
});
export type AuthenticateRequest = z.infer<typeof AuthenticateRequest>;

export const SubmitKeyRequest = z.object({
  message_type: z.literal("SSHPubKeySubmitRequest"),
  public_key: KeyText,
  /** All executors when left out. */
  executor_id: ExecutorId.nullish(),
  is_rental_request: Truth.default(false),
  validator_signature: Signature.nullish(),
  miner_hotkey: Address.nullish(),
  nonce: Nonce.nullish(),
});
export type SubmitKeyRequest = z.infer<typeof SubmitKeyRequest>;

export const RemoveKeyRequest = z.object({
  message_type: z.literal("SSHPubKeyRemoveRequest"),
  public_key: KeyText,
  executor_id: ExecutorId.nullish(),
  validator_signature: Signature.nullish(),
  miner_hotkey: Address.nullish(),
});
export type RemoveKeyRequest = z.infer<typeof RemoveKeyRequest>;

export const PodLogsRequest = z.object({
  message_type: z.literal("GetPodLogsRequest"),
  executor_id: ExecutorId,
  container_name: z.string().max(256),
  miner_hotkey: Address.nullish(),
});
export type PodLogsRequest = z.infer<typeof PodLogsRequest>;

/** What a validator asks once it has signed in. */
export type KeyRequest = SubmitKeyRequest | RemoveKeyRequest | PodLogsRequest;
export type LiumRequest = AuthenticateRequest | KeyRequest;

const LiumRequest = z.discriminatedUnion("message_type", [
  AuthenticateRequest,
  SubmitKeyRequest,
  RemoveKeyRequest,
  PodLogsRequest,
]);
const Kind = z.object({
  message_type: z.enum([
    "AuthenticateRequest",
    "SSHPubKeySubmitRequest",
    "SSHPubKeyRemoveRequest",
    "GetPodLogsRequest",
  ]),
});

/** A frame as it was read; of one that cannot be read, what it was meant to be, if that much is known. */
export type Frame =
  | { readonly ok: true; readonly request: LiumRequest }
  | { readonly ok: false; readonly meant: LiumRequest["message_type"] | undefined };

export function readFrame(text: string): Frame {
  const value = parseJson(text);
  const read = LiumRequest.safeParse(value);
  if (read.success) return { ok: true, request: read.data };
  return { ok: false, meant: Kind.safeParse(value).data?.message_type };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
