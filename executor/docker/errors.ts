/**
 * What the Docker Engine answers, as our codes: one table, by status and by the words that no status tells.
 * A call that got no answer says nothing about the outcome, so it is `engine-unavailable` and never a pod's fault.
 */
import { AppError, type ErrorCode } from "../../protocol/errors.ts";

interface Rule {
  readonly status?: number;
  readonly words: RegExp;
  readonly code: ErrorCode;
}

const RULES: readonly Rule[] = [
  // The engine has no containerd for the moment, which it starts anew.
  { words: /: unavailable\s*$|containerd\.sock/i, code: "engine-unavailable" },
  { status: 409, words: /name .* is already in use/i, code: "name-taken" },
  { words: /port is already allocated|address already in use|failed to bind host port/i, code: "port-busy" },
  {
    words: /could not select device driver|CDI device injection failed|unresolvable CDI devices|nvidia-container-cli/i,
    code: "gpu-injection-failed",
  },
  {
    words:
      /no such image|manifest (for .* )?(unknown|not found)|repository does not exist|pull access denied|not found: manifest|requested access to the resource is denied|unauthorized|authentication required/i,
    code: "image-not-found",
  },
  {
    words:
      /no matching manifest for|exec format error|does not match the specified platform|executable file not found|no such file or directory: unknown|permission denied: unknown|error during container init: (mkdir|chdir) /i,
    code: "image-incompatible",
  },
];

/** A failed engine call, as an AppError. `fallback` names what the call was about when the engine's words do not. */
export function engineError(error: unknown, call: string, fallback: ErrorCode = "engine-error"): AppError {
  if (error instanceof AppError) return error;
  const status = statusOf(error);
  const message = error instanceof Error ? error.message : String(error);
  const rule = RULES.find((each) => (each.status === undefined || each.status === status) && each.words.test(message));
  const code = rule?.code ?? (status === undefined && fallback === "engine-error" ? "engine-unavailable" : fallback);
  return new AppError(code, { message: `${call}: ${message}`, details: { call, status }, cause: error });
}

/** The HTTP status that the engine answered with; undefined when it did not answer. */
export function statusOf(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || !("statusCode" in error)) return undefined;
  return typeof error.statusCode === "number" ? error.statusCode : undefined;
}
