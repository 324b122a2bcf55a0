/**
 * What of a device only moves to and fro, as its temperature does: changes of it are told now and then. All else, such as
 * its health, who it is and how it is cut, is told at once. Pure.
 */
import { isDeepStrictEqual } from "node:util";

import type { Accelerator } from "../../../protocol/accelerator.ts";
import type { GpuState } from "../../../protocol/gpu-report.ts";
import { mapKnown } from "../known.ts";

/** `to`, with those devices as they were in `from` that have only moved. */
export function withoutMoves(from: GpuState, to: GpuState): GpuState {
  const before = new Map(from.gpus.map((gpu) => [gpu.uuid, gpu]));
  return { ...to, gpus: to.gpus.map((gpu) => calmer(before.get(gpu.uuid), gpu)) };
}

function calmer(before: Accelerator | undefined, now: Accelerator): Accelerator {
  return before !== undefined && isDeepStrictEqual(lasting(before), lasting(now)) ? before : now;
}

/** Without what moves. A link of the bus slows down while its device has nothing to do, so that its pace moves like the clocks. */
function lasting(gpu: Accelerator): object {
  const { temperature, power, ecc, clocks, pcie, memory, fabricLinks, partitions } = gpu;
  return {
    ...gpu,
    utilisation: undefined,
    throttle: undefined,
    performanceState: undefined,
    fanPercent: undefined,
    processes: undefined,
    temperature: temperature.slowdownCelsius,
    power: [power.limitWatts, power.defaultLimitWatts],
    ecc: { ...ecc, correctedVolatile: undefined, correctedAggregate: undefined },
    clocks: [clocks.maxCoreMhz, clocks.maxMemoryMhz],
    pcie: [pcie.maxGeneration, pcie.maxWidth, pcie.fatalErrors],
    memory: memory.totalBytes,
    fabricLinks: mapKnown(fabricLinks, (links) => links.map((link) => ({ ...link, errors: undefined }))),
    partitions: partitions.map((part) => ({ ...part, memory: part.memory.totalBytes })),
  };
}
