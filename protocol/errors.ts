/**
 * Every refusal that our programs can give. A code is stable for ever: callers branch on it, documents explain it.
 * The table is in error-codes/, by what a refusal is about. The test of this file fails when a code is never thrown.
 */
import { CALLER_ERRORS } from "./error-codes/caller.ts";
import { CAPACITY_ERRORS } from "./error-codes/capacity.ts";
import { ENGINE_ERRORS } from "./error-codes/engine.ts";
import { OWN_ERRORS } from "./error-codes/own.ts";
import { REQUEST_ERRORS } from "./error-codes/request.ts";
import { STORAGE_ERRORS } from "./error-codes/storage.ts";

export const ERRORS = {
  ...CALLER_ERRORS,
  ...REQUEST_ERRORS,
  ...CAPACITY_ERRORS,
  ...ENGINE_ERRORS,
  ...STORAGE_ERRORS,
  ...OWN_ERRORS,
} as const;

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
