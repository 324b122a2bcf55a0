/**
 * Hosts as their vendors build them, in the words in which an executor tells the agent of its GPUs.
 */
import { simulatedGpus } from "../../../executor/gpus/simulated.ts";
import { gpuFacts } from "../../../executor/gpus/units.ts";
import type { Gpu, GpuLink } from "../../../protocol/gpu.ts";

export interface Topology {
  readonly gpus: readonly Gpu[];
  readonly links: readonly GpuLink[];
}

const SHAPES = {
  "DGX-A100": "8xA100",
  "DGX-H100": "8xH100",
  "PCIe-only 8-GPU": "8xRTX4090",
  "2-socket 4-GPU": "4xL40S",
  "MI210 in two hives": "8xMI210",
  MI300X: "8xMI300X",
  "H100 NVL in bridged pairs": "8xH100NVL",
} as const;
export type Shape = keyof typeof SHAPES;

export const ALL_SHAPES = Object.keys(SHAPES).filter((name): name is Shape => name in SHAPES);

export function topologyOf(shape: Shape): Topology {
  const inventory = simulatedGpus(SHAPES[shape], "topology");
  const { gpus, gpuLinks } = gpuFacts(inventory.list(), inventory.snapshot());
  return { gpus, links: gpuLinks };
}

/** Every choice of `count` of the items, in order. */
export function* choices<T>(items: readonly T[], count: number): Generator<readonly T[]> {
  if (count === 0) {
    yield [];
    return;
  }
  for (const [at, item] of items.entries()) {
    for (const others of choices(items.slice(at + 1), count - 1)) yield [item, ...others];
  }
}
