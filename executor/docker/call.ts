/**
 * How the engine is called: every call has a deadline of its own besides the caller's signal, and fails with our codes.
 */
import { AppError } from "../../protocol/errors.ts";
import { engineError, statusOf } from "./errors.ts";

export const READ_DEADLINE_MS = 15_000;
/** Creating and starting wait for disks and hooks of the GPU vendors. */
export const WRITE_DEADLINE_MS = 120_000;

/** Runs one call of the engine. Rejects with `engine-unavailable` at its deadline, `engine-error` and its kin otherwise. */
export async function bounded<T>(
  call: string,
  deadlineMs: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = AbortSignal.timeout(deadlineMs);
  const either = AbortSignal.any([signal, deadline]);
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(either.reason);
  either.addEventListener("abort", abort, { once: true });
  try {
    // Some calls of the library ignore the signal, so the wait ends with it in any case.
    return await Promise.race([work(either), aborted.promise]);
  } catch (error) {
    signal.throwIfAborted();
    if (!deadline.aborted) throw engineError(error, call);
    const message = `${call}: the engine did not answer within ${deadlineMs} ms`;
    throw new AppError("engine-unavailable", { message, cause: error });
  } finally {
    either.removeEventListener("abort", abort);
  }
}

/** Takes HTTP statuses that mean "already so" for success. */
export async function ignoring(statuses: readonly number[], call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    const status = statusOf(error);
    if (status === undefined || !statuses.includes(status)) throw error;
  }
}

/** Undefined for what the engine does not know. */
export async function orUndefined<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}
