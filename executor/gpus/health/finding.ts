/**
 * One thing that somebody said of a GPU's health: the kernel, the driver's events, a counter that moved, a state that holds.
 */
import { z } from "zod";

import type { RecoveryAction } from "../../../protocol/accelerator.ts";
import type { GpuUuid } from "../../../protocol/ids.ts";

/**
 * `application`: the renter's own program; `memory`: a fault of memory that a reset may repair; `reset`: only a reset helps;
 * `reboot`: only a boot does; `fabric`: links between GPUs; `inspect`: somebody has to look; `watch`: counted; `info`: noted.
 */
export const FindingClass = z.enum(["application", "memory", "reset", "reboot", "fabric", "inspect", "watch", "info"]);
export type FindingClass = z.infer<typeof FindingClass>;

/** A PCI function, a device, or every GPU of the board. */
export type Where = { readonly pciAddress: string } | { readonly uuid: GpuUuid } | { readonly board: true };

export interface Finding {
  /** Such as `xid-79`, `sxid-20034`, `fallen-off-the-bus`: fits the code of a HealthReason. */
  readonly code: string;
  readonly class: FindingClass;
  /** It follows from something else, and begins no incident. */
  readonly echo: boolean;
  readonly source: "kernel" | "nvml" | "counters";
  readonly where: Where;
  readonly pid?: number;
  /** Wall clock in ms: when it happened, not when it was read. */
  readonly at: number;
  /** Of at most 400 characters. */
  readonly message: string;
  /** What the driver itself asks for. It overrules the class. */
  readonly recovery?: RecoveryAction;
}
