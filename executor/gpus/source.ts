/**
 * The port to one source of facts about accelerators: files, a library, a vendor's tool, a capture.
 */
import type { AcceleratorReading, GpuPairReading, HealthReason, SourceState } from "../../protocol/accelerator.ts";
import type { Place } from "./sysfs/tree.ts";

/** Of two devices by their PCI addresses, whose UUIDs another source may know better. */
export type PairReading = Omit<GpuPairReading, "a" | "b"> & { readonly a: string; readonly b: string };

export interface SourceReading {
  readonly state: SourceState;
  /** Of those that were asked before this one, and had nothing. */
  readonly before?: readonly SourceState[];
  readonly readings: readonly AcceleratorReading[];
  readonly pairs: readonly PairReading[];
  readonly places: readonly Place[];
  /** What is wrong with a device of its vendor's that it does not list. */
  readonly unlisted?: HealthReason | undefined;
}

/** How deep a look is wanted: `quick` for what moves by the second, `full` for all of it. */
export type Depth = "quick" | "full";

export interface GpuSource {
  /** Never rejects for what the source does: that is its state. Rejects only with the signal's reason. */
  read(depth: Depth, signal: AbortSignal): Promise<SourceReading>;
  close(): Promise<void>;
}

export function nothingRead(state: SourceState): SourceReading {
  return { state, readings: [], pairs: [], places: [] };
}
