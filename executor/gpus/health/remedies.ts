/**
 * The port to what can be done about a sick GPU.
 */
import type { Accelerator } from "../../../protocol/accelerator.ts";

/** `untested`: nothing on this machine can run a test on that device. */
export type Verdict =
  | { readonly result: "passed"; readonly message: string }
  | { readonly result: "failed"; readonly message: string }
  | { readonly result: "untested"; readonly message: string };

export interface Remedies {
  /** Computes on the device and walks its memory. Rejects only with the signal's reason. */
  validate(gpu: Accelerator, signal: AbortSignal): Promise<Verdict>;
  /** Resets a device that nobody uses. Rejects with `gpu-not-reset` and what the vendor's tool said. */
  reset(gpu: Accelerator, signal: AbortSignal): Promise<void>;
  /** Asks for a boot of the machine. Rejects with `command-failed`. */
  reboot(signal: AbortSignal): Promise<void>;
}
