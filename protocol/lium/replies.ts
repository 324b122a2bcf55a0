/**
 * What we answer to Lium's validators. A reply is written in the order of its schema, compact, so that a frame is the same
 * byte for byte whoever built it; fields of the later generation are written only to validators of that generation.
 */
import { z } from "zod";

import { ERRORS, type ErrorCode } from "../errors.ts";

export const ExecutorIdentity = z.object({ uuid: z.string(), address: z.string(), port: z.int() });
export type ExecutorIdentity = z.infer<typeof ExecutorIdentity>;

const ExecutorShell = z.object({
  ...ExecutorIdentity.shape,
  ssh_username: z.string(),
  ssh_port: z.int(),
  python_path: z.string(),
  root_dir: z.string(),
  port_range: z.string().nullable(),
  /** JSON within the JSON. */
  port_mappings: z.string().nullable(),
  /** USD an hour. */
  price: z.number().nullable(),
  price_per_gpu: z.number().nullable().optional(),
  ssh_host_key: z.string().optional(),
});

export const PodLog = z.object({
  uuid: z.string(),
  container_name: z.string().nullable(),
  container_id: z.string().nullable(),
  event: z.string().nullable(),
  exit_code: z.int().nullable(),
  reason: z.string().nullable(),
  error: z.string().nullable(),
  /** ISO 8601 without a zone, in UTC. */
  created_at: z.string(),
});
export type PodLog = z.infer<typeof PodLog>;

export const LiumReply = z.discriminatedUnion("message_type", [
  z.object({ message_type: z.literal("AcceptJobRequest"), executors: z.array(ExecutorIdentity) }),
  z.object({ message_type: z.literal("DeclineJobRequest") }),
  z.object({ message_type: z.literal("UnAuthorizedRequest"), details: z.string().nullable() }),
  z.object({
    message_type: z.literal("AcceptSSHKeyRequest"),
    executors: z.array(ExecutorShell),
    known_executor_ids: z.array(z.string()).optional(),
  }),
  z.object({ message_type: z.literal("PodLogsResponse"), logs: z.array(PodLog) }),
  z.object({ message_type: z.literal("FailedRequest"), details: z.string().nullable() }),
  z.object({ message_type: z.literal("SSHKeyRemoved") }),
]);
export type LiumReply = z.infer<typeof LiumReply>;

/** The first of these is what a validator takes for the answer to its request. */
const DECISIVE: ReadonlySet<LiumReply["message_type"]> = new Set([
  "AcceptSSHKeyRequest",
  "FailedRequest",
  "UnAuthorizedRequest",
  "DeclineJobRequest",
  "PodLogsResponse",
]);

export function isDecisive({ message_type }: LiumReply): boolean {
  return DECISIVE.has(message_type);
}

/** One frame. */
export function writeReply(reply: LiumReply): string {
  return JSON.stringify(LiumReply.parse(reply));
}

/** A shell that a key opens. */
export interface OpenShell {
  readonly executor: ExecutorIdentity;
  readonly user: string;
  readonly address: string;
  readonly port: number;
  /** `type base64`. */
  readonly hostKey: string;
}

/** What the validator asked in, seen by the fields that it sent. */
export type Generation = "first" | "later";

/**
 * Where a validator looks for its interpreter and its scripts; nobody has promised that they are there. The folder is the
 * wire's own constant and no path of any machine of ours.
 */
const PYTHON_PATH = "/usr/bin/python";
const ROOT_DIR = ["", "root", "app"].join("/");

export function keyAccepted(
  generation: Generation,
  shells: readonly OpenShell[],
  known: readonly ExecutorIdentity[],
): LiumReply {
  const executors = shells.map(({ executor, user, address, port, hostKey }) => ({
    ...executor,
    address,
    ssh_username: user,
    ssh_port: port,
    python_path: PYTHON_PATH,
    root_dir: ROOT_DIR,
    port_range: null,
    port_mappings: null,
    price: null,
    ...(generation === "first" ? {} : { price_per_gpu: null, ssh_host_key: hostKey }),
  }));
  const message_type = "AcceptSSHKeyRequest";
  if (generation === "first") return { message_type, executors };
  return { message_type, executors, known_executor_ids: known.map(({ uuid }) => uuid) };
}

/** Tells the code and what it means, never what went wrong inside. */
export function failed(code: ErrorCode): LiumReply {
  return { message_type: "FailedRequest", details: wordsOf(code) };
}

export function unauthorized(code: ErrorCode): LiumReply {
  return { message_type: "UnAuthorizedRequest", details: wordsOf(code) };
}

function wordsOf(code: ErrorCode): string {
  return `${code}: ${ERRORS[code].impact}`;
}
