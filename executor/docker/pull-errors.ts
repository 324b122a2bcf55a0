/**
 * Why a pull failed, in our codes: the engine passes on what the registry said, in the registry's words.
 * Without any answer of the engine nothing is known about the registry, so that is `engine-unavailable`.
 */
import { AppError, type ErrorCode } from "../../protocol/errors.ts";
import { engineError, statusOf } from "./errors.ts";

/** What the engine told in the middle of a pull's messages. */
export class PullFailure extends Error {}

const RULES: readonly { readonly words: RegExp; readonly code: ErrorCode }[] = [
  { words: /no space left on device|disk quota exceeded/i, code: "disk-low" },
  { words: /verification failed for digest|unexpected digest|digest mismatch/i, code: "image-digest-mismatch" },
  { words: /toomanyrequests|too many requests|rate exceeded|\b429\b/i, code: "image-rate-limited" },
  { words: /no matching manifest|does not match the specified platform/i, code: "image-incompatible" },
  {
    words: /manifest (for .* )?(unknown|not found)|repository does not exist|name unknown|not found: manifest/i,
    code: "image-not-found",
  },
  {
    words:
      /unauthorized|authentication required|no basic auth credentials|access denied|access to the resource is denied/i,
    code: "image-auth-failed",
  },
];

/** GHCR repeats its Retry-After header in the words that reach us, as a Go duration: `retry-after: 1m2.5s`. */
const RETRY_AFTER = /retry[- ]after:? *((?:\d+(?:\.\d+)?(?:h|m|s|ms|µs|us|ns))+|\d+)/i;
const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  µs: 1e-3,
  us: 1e-3,
  ns: 1e-6,
};

/** A failed pull, as an AppError. */
export function pullError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const status = statusOf(error);
  if (status === undefined && !(error instanceof PullFailure)) return engineError(error, "pull");
  const message = error instanceof Error ? error.message : String(error);
  const code = RULES.find(({ words }) => words.test(message))?.code ?? "image-pull-failed";
  const retryAfterMs = code === "image-rate-limited" ? retryAfterOf(message) : undefined;
  const details = { call: "pull", status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  return new AppError(code, { message: `pull: ${message}`, details, cause: error });
}

function retryAfterOf(message: string): number | undefined {
  const text = RETRY_AFTER.exec(message)?.[1];
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(h|ms|µs|us|ns|m|s)/g);
  return [...parts].reduce((sum, [, value, unit = ""]) => sum + Number(value) * (UNIT_MS[unit] ?? 0), 0);
}
