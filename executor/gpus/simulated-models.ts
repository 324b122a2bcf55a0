/**
 * The models that can be made up, with memory and links as the vendors' data sheets give them.
 */
import type { AcceleratorVendor } from "../../protocol/accelerator.ts";

export interface SimulatedModel {
  readonly vendor: AcceleratorVendor;
  readonly model: string;
  readonly memoryBytes: number;
  readonly limitWatts: number;
  readonly driver: string;
  readonly driverVersion: string;
  readonly runtimeVersion: string;
  /** NVLinks to the switches of its board. */
  readonly switchLinks?: number;
  /** NVLinks over a bridge to the card beside it. */
  readonly bridgeLinks?: number;
  /** As many cards are joined over XGMI, every two of them: all of a board, or those under one bridge. */
  readonly hive?: number;
}

const GIB = 2 ** 30;
const NVIDIA = { vendor: "nvidia", driver: "nvidia", driverVersion: "580.105.08", runtimeVersion: "13.0" } as const;
const AMD = { vendor: "amd", driver: "amdgpu", driverVersion: "6.14.14", runtimeVersion: "7.0.0" } as const;
const INTEL = { vendor: "intel", driver: "xe", driverVersion: "kernel 6.17.0", runtimeVersion: "1.27.0" } as const;

export const SIMULATED_MODELS: Readonly<Record<string, SimulatedModel>> = {
  H100: { ...NVIDIA, model: "NVIDIA H100 80GB HBM3", memoryBytes: 80 * GIB, limitWatts: 700, switchLinks: 18 },
  H100NVL: { ...NVIDIA, model: "NVIDIA H100 NVL", memoryBytes: 94 * GIB, limitWatts: 400, bridgeLinks: 12 },
  H200: { ...NVIDIA, model: "NVIDIA H200", memoryBytes: 141 * GIB, limitWatts: 700, switchLinks: 18 },
  B200: { ...NVIDIA, model: "NVIDIA B200", memoryBytes: 180 * GIB, limitWatts: 1000, switchLinks: 18 },
  A100: { ...NVIDIA, model: "NVIDIA A100-SXM4-80GB", memoryBytes: 80 * GIB, limitWatts: 400, switchLinks: 12 },
  L40S: { ...NVIDIA, model: "NVIDIA L40S", memoryBytes: 48 * GIB, limitWatts: 350 },
  RTX4090: { ...NVIDIA, model: "NVIDIA GeForce RTX 4090", memoryBytes: 24 * GIB, limitWatts: 450 },
  MI210: { ...AMD, model: "AMD Instinct MI210", memoryBytes: 64 * GIB, limitWatts: 300, hive: 4 },
  MI300X: { ...AMD, model: "AMD Instinct MI300X", memoryBytes: 192 * GIB, limitWatts: 750, hive: 8 },
  Arc: { ...INTEL, model: "Intel Arc A770", memoryBytes: 16 * GIB, limitWatts: 225 },
  B580: { ...INTEL, model: "Intel Arc B580", memoryBytes: 12 * GIB, limitWatts: 190 },
  Gaudi3: {
    ...INTEL,
    model: "Intel Gaudi 3",
    driver: "habanalabs",
    driverVersion: "1.22.1",
    runtimeVersion: "1.22.1",
    memoryBytes: 128 * GIB,
    limitWatts: 900,
  },
};
