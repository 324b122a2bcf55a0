/**
 * The port to the host's accelerators. Every source, real or simulated, answers in the same words.
 */
import type { Gpu } from "../../protocol/gpu.ts";

export interface GpuInventory {
  /** The GPUs of this host, in the order of their UUIDs. */
  list(): readonly Gpu[];
}
