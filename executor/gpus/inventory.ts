/**
 * The port to the host's accelerators. Every source, real or simulated, answers in the same words, from what was read last:
 * asking costs nothing and never waits.
 */
import type { Accelerators } from "../../protocol/accelerator.ts";
import type { Gpu } from "../../protocol/gpu.ts";
import type { GpuUuid } from "../../protocol/ids.ts";
import type { Judgement } from "./health/judge.ts";

/**
 * `appeared`: it was not known; `missing`: gone from the bus; `returned`: back from there; `fenced` and `cleared`: it may not
 * or may again be rented; `moved`: another place on the bus; `partitioned`: its parts are others now;
 * `driver-changed`: another version runs.
 */
export type GpuChangeKind =
  | "appeared"
  | "missing"
  | "returned"
  | "fenced"
  | "cleared"
  | "moved"
  | "partitioned"
  | "driver-changed";

export interface GpuChange {
  readonly kind: GpuChangeKind;
  readonly uuid: GpuUuid;
  readonly message: string;
}

export interface GpuInventory {
  /** What can be rented now, whole devices and partitions, in the order of their UUIDs. */
  list(): readonly Gpu[];
  /** Everything that is known. */
  snapshot(): Accelerators;
  /** The same without what was judged of it. */
  found(): Accelerators;
  /** What the health engine concludes: it counts from now on, beside what is found. */
  judge(judgement: Judgement): void;
  /** Told after a snapshot in which something changed, until the returned function is called. */
  onChange(listener: (changes: readonly GpuChange[]) => void): () => void;
}
