/**
 * Devices as a host tells of them, with what the test cares about laid over them.
 */
import { Accelerator, type AcceleratorReading } from "../../../protocol/accelerator.ts";
import { type GpuHolder, type GpuState, gpuStateOf } from "../../../protocol/gpu-report.ts";
import { GpuUuid } from "../../../protocol/ids.ts";
import type { GpuDetails, GpuSummary } from "../../../protocol/operator-gpus.ts";
import { hostId } from "../agent-builders.ts";
import { podId, T0 } from "../builders.ts";

export const READ_AT = new Date(T0).toISOString();

export function toldUuid(n: number): GpuUuid {
  return GpuUuid.parse(`GPU-${n}`.padEnd(8, "x"));
}

export function accelerator(n: number, over: Partial<AcceleratorReading> = {}): Accelerator {
  return Accelerator.parse({
    uuid: toldUuid(n),
    vendor: "nvidia",
    model: "NVIDIA H100 80GB HBM3",
    memory: { totalBytes: 80 * 2 ** 30, usedBytes: 2 ** 30 },
    utilisation: { gpuPercent: 57 },
    temperature: { gpuCelsius: 41 },
    power: { drawWatts: 310.5 },
    ...over,
  });
}

export function toldState(gpus: readonly Accelerator[], holders: readonly GpuHolder[] = [], at = READ_AT): GpuState {
  return gpuStateOf({ at, gpus: [...gpus], pairs: [], sources: [{ name: "nvml", state: "ok" }] }, holders);
}

const ORIGIN = { hostId: hostId(1), hostName: "gpu-host", live: true, readAt: READ_AT };

export function gpuSummary(over: Partial<GpuSummary> = {}): GpuSummary {
  const { uuid, vendor, model, pciAddress, memory, utilisation, temperature, power, health, simulated } =
    accelerator(1);
  const read = { uuid, vendor, model, pciAddress, memory, utilisation, temperature, power, health, simulated };
  return { ...ORIGIN, ...read, pods: [podId(1)], parts: [], ...over };
}

export function gpuDetails(): GpuDetails {
  const gpu = accelerator(1);
  return { ...ORIGIN, gpu, holders: [{ uuid: gpu.uuid, podId: podId(1) }], pairs: [] };
}
