/**
 * Every refusal that our programs can give. A code is stable for ever: callers branch on it, documents explain it.
 * `status` is its HTTP status, `impact` says what it means for the caller, `remedy` what to do next.
 * The test of this file fails when a code is never thrown.
 */

interface ErrorEntry {
  readonly status: number;
  readonly impact: string;
  readonly remedy: string;
}

export const ERRORS = {
  // Who is calling
  "auth-malformed": {
    status: 401,
    impact: "The request was not authenticated.",
    remedy: "Send the X-Bittensor headers of btauth/1, each exactly once and in its documented form.",
  },
  "auth-scheme-refused": {
    status: 401,
    impact: "The request was not authenticated.",
    remedy: "Sign with sr25519 or ed25519, the scheme registered for this hotkey.",
  },
  "auth-wrong-receiver": {
    status: 401,
    impact: "The request was meant for another agent.",
    remedy: "Set X-Bittensor-Receiver to this agent's hotkey and sign again.",
  },
  "auth-stale": {
    status: 401,
    impact: "The request was not authenticated.",
    remedy: "Sign a new nonce for every attempt, and check this machine's clock.",
  },
  "auth-future": {
    status: 401,
    impact: "The request was not authenticated.",
    remedy: "The nonce lies in the future: check the clock of the machine that signs.",
  },
  "auth-bad-signature": {
    status: 401,
    impact: "The request was not authenticated.",
    remedy: "Sign exactly the method, target, body and receiver that are sent.",
  },
  "auth-replayed": {
    status: 401,
    impact: "The request was seen before and was not carried out again.",
    remedy: "Sign a new nonce for every attempt.",
  },
  "auth-hotkey-not-allowed": {
    status: 403,
    impact: "The caller is not served here.",
    remedy: "Ask the provider to add this hotkey to the agent's allow-list.",
  },
  // What is asked
  "body-too-large": {
    status: 413,
    impact: "The request was refused before it was read.",
    remedy: "Send a smaller body.",
  },
  "rate-limited": {
    status: 429,
    impact: "The request was refused before it was read.",
    remedy: "Wait as long as the Retry-After header says.",
  },
  "invalid-request": {
    status: 400,
    impact: "Nothing was changed.",
    remedy: "Correct the fields that the details name; /openapi.json describes them.",
  },
  "route-not-found": {
    status: 404,
    impact: "Nothing was changed.",
    remedy: "See /openapi.json for the routes of this version.",
  },
  "ssh-key-invalid": {
    status: 400,
    impact: "The key was refused and nothing was written.",
    remedy: "Send one OpenSSH public key on one line, without options.",
  },
  "image-reference-invalid": {
    status: 400,
    impact: "Nothing was pulled.",
    remedy: "Write the image as [registry/]name[:tag][@sha256:digest].",
  },
  "pod-not-found": { status: 404, impact: "Nothing was changed.", remedy: "List your pods to see their ids." },
  "host-not-found": { status: 404, impact: "Nothing was changed.", remedy: "List the hosts to see their ids." },
  "pod-ended": { status: 409, impact: "The pod has ended and cannot be changed.", remedy: "Rent a new pod." },
  "lease-expired": {
    status: 409,
    impact: "The pod was not created or changed.",
    remedy: "Ask for a lease that ends in the future.",
  },
  "idempotency-mismatch": {
    status: 409,
    impact: "Nothing was created.",
    remedy: "Use a new idempotency key for a different request.",
  },
  // What the fleet and the host can give
  "no-capacity": {
    status: 409,
    impact: "No host can take this pod now; nothing was created.",
    remedy: "Ask for less, or watch /v1/capacity and try again.",
  },
  "secret-wrong-host": {
    status: 409,
    impact: "The sealed values can be opened by no connected host; nothing was created.",
    remedy: "Seal to the sealingKey of a host in /v1/capacity.",
  },
  "gpu-taken": {
    status: 409,
    impact: "The pod was not started.",
    remedy: "Ask for other GPUs; the holder is named in the details.",
  },
  "gpu-unknown": {
    status: 409,
    impact: "The pod was not started.",
    remedy: "The host no longer shows this GPU: run `lium-executor status` there.",
  },
  "host-full": {
    status: 409,
    impact: "The pod was not started.",
    remedy: "Free CPU, memory or disk on the host, or choose another host.",
  },
  "ports-exhausted": {
    status: 409,
    impact: "The pod was not started.",
    remedy: "Widen ports.range in executor.toml, or end pods that hold ports.",
  },
  "secret-unreadable": {
    status: 400,
    impact: "The pod was not started.",
    remedy: "Seal the values again to this host's sealingKey.",
  },
  "host-unreachable": {
    status: 503,
    impact: "The host cannot be asked now; the pods on it go on.",
    remedy: "Try again; if it lasts, check the executor and its network.",
  },
  // What the engine said
  "image-not-found": {
    status: 404,
    impact: "The pod was not started.",
    remedy: "Check the image's name, tag and registry credentials.",
  },
  "image-pull-failed": {
    status: 502,
    impact: "The pod was not started.",
    remedy: "The registry failed: see the details, and try again.",
  },
  "image-pull-stalled": {
    status: 504,
    impact: "The pod was not started.",
    remedy: "The registry sent nothing for too long: try again.",
  },
  "image-auth-failed": { status: 403, impact: "The pod was not started.", remedy: "Give the registry's credentials." },
  "image-rate-limited": { status: 503, impact: "The pod was not started.", remedy: "The registry asks to wait." },
  "image-digest-mismatch": { status: 502, impact: "The pod was not started.", remedy: "Do not trust that registry." },
  "disk-low": { status: 409, impact: "New pods are refused.", remedy: "Free disk: lium-executor images gc --dry-run" },
  "image-incompatible": {
    status: 409,
    impact: "The pod was not started.",
    remedy: "Use an image whose entry point and architecture fit this host.",
  },
  "gpu-injection-failed": {
    status: 500,
    impact: "The pod was not started.",
    remedy: "The engine could not hand over the GPU: check the vendor's container toolkit on the host.",
  },
  "engine-unavailable": {
    status: 503,
    impact: "The container engine does not answer; pods go on, their state is unknown.",
    remedy: "Check the Docker service on the host.",
  },
  "engine-error": {
    status: 500,
    impact: "The container engine refused a call.",
    remedy: "See the details and the Docker service's journal on the host.",
  },
  "port-busy": {
    status: 409,
    impact: "The pod was not started yet.",
    remedy: "None is needed: the executor publishes the pod on other ports.",
  },
  "name-taken": {
    status: 409,
    impact: "A container of that name exists.",
    remedy: "None is needed: the executor adopts or removes it.",
  },
  "pod-stuck": {
    status: 500,
    impact: "Something of the pod does not die; its GPUs and ports stay claimed until it does.",
    remedy:
      "See pid, state and ports in the details: the cause is in the kernel (a driver, a network disk); reboot if it lasts.",
  },
  "network-taken": {
    status: 409,
    impact: "The pod was not started yet.",
    remedy: "None is needed: the executor gives the pod another network.",
  },
  "isolation-unavailable": {
    status: 503,
    impact: "No pod is started on this host, because it could not be kept apart from others.",
    remedy:
      "The details name the protection that is missing: install nftables, or correct the engine or `isolation` in executor.toml.",
  },
  "ssh-not-ready": {
    status: 504,
    impact: "The pod runs, but nobody can log in.",
    remedy: "See the pod's logs; the image may lack what its command needs.",
  },
  "kit-unavailable": {
    status: 500,
    impact: "No pod can start on this host.",
    remedy: "Run `lium-executor kit build` on the host and read what it says.",
  },
  // Joining, configuration, our own faults
  "join-token-invalid": {
    status: 401,
    impact: "The host was not enrolled.",
    remedy: "Make a new token with `lium-agent invite`; a token works once and expires.",
  },
  "link-refused": {
    status: 401,
    impact: "The executor cannot talk to the agent; its pods go on.",
    remedy: "Enrol the host again with a new join token.",
  },
  "link-protocol": {
    status: 400,
    impact: "The link was closed; pods go on.",
    remedy: "Bring agent and executor to the same version.",
  },
  "config-invalid": {
    status: 400,
    impact: "The program did not start.",
    remedy: "Correct the key that is named, in the file that is named.",
  },
  "state-too-new": {
    status: 409,
    impact: "The program did not start, and its state was not touched.",
    remedy: "Run the version that wrote it, or take it a step back with that version: `state downgrade`.",
  },
  "already-exists": {
    status: 409,
    impact: "Nothing was overwritten.",
    remedy: "Use what is there, or give another path.",
  },
  "hotkey-file-invalid": {
    status: 400,
    impact: "The hotkey was not loaded.",
    remedy: "Give a plain (unencrypted) hotkey file as btcli writes it.",
  },
  "command-failed": {
    status: 500,
    impact: "A program on this machine failed.",
    remedy: "Its name and output are in the details.",
  },
  "connection-failed": {
    status: 503,
    impact: "The other side could not be reached; nothing is known about the outcome.",
    remedy: "Check the address and that the program runs, then try again.",
  },
  "log-reader-too-slow": {
    status: 408,
    impact: "The log was read more slowly than the pod writes it, and reading was ended; the pod goes on.",
    remedy: "Read again with `since` or a smaller `tail`, from nearer to the agent.",
  },
  "deadline-exceeded": {
    status: 504,
    impact: "The work took longer than allowed; it may still finish.",
    remedy: "Look at the pod's state, then try again.",
  },
  internal: {
    status: 500,
    impact: "An unexpected fault of ours.",
    remedy: "Report it with the request id and the log lines around it.",
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERRORS, value);
}

export interface AppErrorOptions {
  /** What happened this time, in one sentence; the table's impact when left out. */
  readonly message?: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The one error that our programs throw on purpose. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(options.message ?? ERRORS[code].impact, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "AppError";
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** Anything thrown, as an AppError; what is not ours becomes `internal` and keeps its cause. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError("internal", { message: error instanceof Error ? error.message : String(error), cause: error });
}
