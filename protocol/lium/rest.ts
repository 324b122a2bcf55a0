/**
 * The REST twin of the later generation: the same messages as bodies, the same replies as answers, one sign-in each in
 * headers. `auth: "signed"` means those headers here, not btauth/1.
 */
import { z } from "zod";

import { AppError } from "../errors.ts";
import { route } from "../route.ts";
import { ExecutorIdentity, LiumReply } from "./replies.ts";
import { PodLogsRequest, RemoveKeyRequest, SubmitKeyRequest } from "./requests.ts";
import type { SignInPayload } from "./statements.ts";

const Nothing = z.strictObject({});
const signed = {
  auth: "signed",
  answer: "json",
  method: "POST",
  params: Nothing,
  query: z.object({}),
  response: LiumReply,
  status: 200,
  errors: [],
} as const;

export const liumApi = {
  submitKey: route({
    ...signed,
    path: "/api/validator/ssh-pubkey-submit",
    summary: "Open shells for a key",
    body: SubmitKeyRequest,
  }),
  removeKey: route({
    ...signed,
    path: "/api/validator/ssh-pubkey-remove",
    summary: "Close what a key opened",
    body: RemoveKeyRequest,
  }),
  podLogs: route({
    ...signed,
    path: "/api/validator/pod-logs",
    summary: "What happened to a container",
    body: PodLogsRequest,
  }),
  executors: route({
    ...signed,
    path: "/executors",
    summary: "Which executors this validator may ask for; signed over its own hotkey's text, in the body",
    body: z.object({ validator_hotkey: z.string().max(64), signature: z.string().max(256) }),
    response: z.object({ validator_hotkey: z.string(), executors: z.array(ExecutorIdentity) }),
  }),
} as const;

export interface SignIn {
  readonly payload: SignInPayload;
  /** `0x` and hex. */
  readonly signature: string;
}

/** Throws `auth-malformed` unless each header was sent exactly once and in its form. */
export function readSignInHeaders(headers: Readonly<Record<string, string[] | undefined>>): SignIn {
  const read = (name: string, form: RegExp): string => {
    const [value = "", ...more] = headers[name.toLowerCase()] ?? [];
    if (more.length === 0 && form.test(value)) return value;
    throw new AppError("auth-malformed", {
      message: `${name} must be sent once, in its form.`,
      details: { header: name },
    });
  };
  const address = /^5[1-9A-HJ-NP-Za-km-z]{46,47}$/;
  return {
    payload: {
      validator_hotkey: read("X-Validator-Hotkey", address),
      miner_hotkey: read("X-Miner-Hotkey", address),
      timestamp: Number(read("X-Timestamp", /^[1-9][0-9]{0,14}$/)),
    },
    signature: read("X-Signature", /^0x[0-9a-fA-F]{128}$/),
  };
}
