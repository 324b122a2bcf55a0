/**
 * A refusal on the wire: how an AppError becomes a status and a body, and how a client reads it back.
 * A 4xx explains itself; a 5xx says only its code, what it means and the request id, the rest is in the log.
 */
import { AppError, ERRORS, isErrorCode, toAppError } from "../protocol/errors.ts";
import { ErrorBody, errorsOf } from "../protocol/openapi.ts";
import type { Route } from "../protocol/route.ts";

export function refusalOf(error: AppError, requestId: string): { status: number; body: ErrorBody } {
  const { status, impact, remedy } = ERRORS[error.code];
  const body = { code: error.code, message: impact, impact, remedy, requestId };
  if (status >= 500) return { status, body };
  const details = Object.keys(error.details).length === 0 ? {} : { details: { ...error.details } };
  return { status, body: { ...body, message: error.message, ...details } };
}

/** `rate-limited`, for a caller who may come back after this long. */
export function rateLimited(waitMs: number): AppError {
  return new AppError("rate-limited", { details: { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) } });
}

/** Seconds, for the Retry-After header of `rate-limited`. */
export function retryAfterOf({ code, details }: AppError): number | undefined {
  if (code !== "rate-limited") return undefined;
  const { retryAfterSeconds } = details;
  return typeof retryAfterSeconds === "number" ? retryAfterSeconds : 1;
}

/** What the other side refused, under its own code; one that we do not know, or no refusal of ours at all, is `internal`. */
export function errorFromRefusal(status: number, body: unknown): AppError {
  const refusal = ErrorBody.safeParse(body);
  if (!refusal.success) {
    return new AppError("internal", {
      message: `The other side answered with status ${status} and no refusal that can be read.`,
      details: { status },
    });
  }
  const { code, message, impact, remedy, requestId, details } = refusal.data;
  if (isErrorCode(code)) return new AppError(code, { message, details: { ...details, requestId } });
  return new AppError("internal", { message, details: { ...details, requestId, status, code, impact, remedy } });
}

/** What a route may answer with stays; whatever else a handler throws is a fault of ours. */
export function judgeFailure(error: unknown, route: Route, over: AbortSignal): AppError {
  if (error instanceof AppError && errorsOf(route).includes(error.code)) return error;
  if (over.aborted) return new AppError("deadline-exceeded", { cause: error });
  return new AppError("internal", { message: `${route.method} ${route.path} failed`, cause: error });
}

/** What the framework refuses before a handler runs, in our words. */
export function translateFailure(error: unknown): AppError {
  if (!(error instanceof Error) || error instanceof AppError) return toAppError(error);
  if ("code" in error && error.code === "FST_ERR_CTP_BODY_TOO_LARGE") return new AppError("body-too-large");
  const isRefusal = "statusCode" in error && typeof error.statusCode === "number" && error.statusCode < 500;
  return isRefusal ? new AppError("invalid-request", { message: error.message }) : toAppError(error);
}
