/**
 * Why a GPU did not prove anything, in words that survive the way out of the worker process.
 */
import { z } from "zod";

/**
 * `no-library`, `no-platform`, `no-device`: OpenCL or the GPU is not there; `unsupported`: the device cannot hold or run it;
 * `out-of-memory`: it had less free than was asked for; `build-failed`: with the compiler's log; `device-failed`: a call failed;
 * `crashed`, `timeout`: the worker ended by itself, or was ended; `out-of-order`: nothing was committed to, or it was answered.
 */
export const FailureCode = z.enum([
  "no-library",
  "no-platform",
  "no-device",
  "unsupported",
  "out-of-memory",
  "build-failed",
  "device-failed",
  "crashed",
  "timeout",
  "out-of-order",
]);
export type FailureCode = z.infer<typeof FailureCode>;

export const Failure = z.strictObject({ ok: z.literal(false), code: FailureCode, detail: z.string() });
export type Failure = z.infer<typeof Failure>;

/** Thrown inside the worker alone; outside it is a value. */
export class ProofError extends Error {
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string) {
    super(message);
    this.name = "ProofError";
    this.code = code;
  }
}
