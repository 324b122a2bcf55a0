/**
 * GPUs that do not exist, for development without hardware. Each is marked `simulated`, and its UUID says so too.
 */
import { createHash } from "node:crypto";

import { AppError } from "../../protocol/errors.ts";
import { type Gpu, Gpu as GpuSchema } from "../../protocol/gpu.ts";
import type { GpuInventory } from "./inventory.ts";

const GIB = 2 ** 30;

/** Memory as the vendors' data sheets give it. */
const MODELS: Readonly<Record<string, Pick<Gpu, "vendor" | "model" | "memoryBytes">>> = {
  H100: { vendor: "nvidia", model: "NVIDIA H100 80GB HBM3", memoryBytes: 80 * GIB },
  H200: { vendor: "nvidia", model: "NVIDIA H200", memoryBytes: 141 * GIB },
  A100: { vendor: "nvidia", model: "NVIDIA A100-SXM4-80GB", memoryBytes: 80 * GIB },
  RTX4090: { vendor: "nvidia", model: "NVIDIA GeForce RTX 4090", memoryBytes: 24 * GIB },
  MI300X: { vendor: "amd", model: "AMD Instinct MI300X", memoryBytes: 192 * GIB },
  Arc: { vendor: "intel", model: "Intel Arc A770", memoryBytes: 16 * GIB },
};

const ITEM = /^(?<count>[1-9][0-9]?)x(?<model>[A-Za-z0-9]+)$/;

/**
 * GPUs from a text such as `8xH100` or `1xH100,2xArc`; `seed` keeps the UUIDs of two hosts apart and of one host stable.
 * Throws `config-invalid` for a text that is none or a model that is not known.
 */
export function simulatedGpus(text: string, seed: string): GpuInventory {
  const gpus = text
    .split(",")
    .filter((item) => item.trim() !== "")
    .flatMap((item) => gpusOf(item.trim(), seed));
  const sorted = gpus.toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
  return { list: () => sorted };
}

function gpusOf(item: string, seed: string): Gpu[] {
  const { count, model } = ITEM.exec(item)?.groups ?? {};
  const card = model === undefined ? undefined : MODELS[model];
  if (card === undefined) {
    const known = Object.keys(MODELS).join(", ");
    throw new AppError("config-invalid", {
      message: `gpus.simulate: "${item}" is not COUNTxMODEL with a model of ${known}`,
    });
  }
  return Array.from({ length: Number(count) }, (_, index) =>
    GpuSchema.parse({ ...card, uuid: uuidOf(`${seed}/${item}/${index}`), simulated: true }),
  );
}

function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return `GPU-SIM-${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 24)}`;
}
