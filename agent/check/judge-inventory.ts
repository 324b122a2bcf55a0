/**
 * What a validator would hold against a host, from what the host says of itself. Pure.
 */
import type { InventoryGpu, InventoryResult } from "../../protocol/challenge/host-messages.ts";
import { type Finding, fine, found } from "./finding.ts";
import { LIUM_LIMITS, LIUM_MODELS, NVML_DIGESTS } from "./lium-rules.ts";

const GIB = 2 ** 30;
/** Of what is made up there is no second source, which is said elsewhere. */
const SIMULATION = "simulation";
/** Drivers and firmware keep some of it, and vendors count in other units. */
const MEMORY_WITHIN = 0.12;

export function judgeInventory(inventory: InventoryResult): Finding[] {
  const real = inventory.gpus.filter(({ simulated }) => !simulated);
  return [
    ...judgeCount(inventory.gpus),
    ...judgeModels(inventory.gpus),
    ...real.flatMap((gpu) => judgeUse(gpu)),
    ...judgeDriver(real, inventory.nvml),
    ...judgeMachine(inventory),
    ...judgeFacts(inventory),
  ];
}

function judgeCount(gpus: readonly InventoryGpu[]): Finding[] {
  const made = gpus.filter(({ simulated }) => simulated).length;
  if (gpus.length === 0) return [found("gpus", "failure", "gpu-none", "The host has no GPU.")];
  const { mostGpus } = LIUM_LIMITS;
  const count =
    gpus.length > mostGpus
      ? found("gpus", "failure", "gpu-too-many", `The host has ${gpus.length} GPUs; ${mostGpus} are the most.`)
      : fine("gpus", `The host has ${gpus.length} GPU${gpus.length === 1 ? "" : "s"}.`);
  if (made === 0) return [count];
  return [count, found("gpus", "warning", "gpu-simulated", `${made} of ${gpus.length} GPUs are made up.`)];
}

function judgeModels(gpus: readonly InventoryGpu[]): Finding[] {
  const models = [...new Set(gpus.map(({ model }) => model))];
  const unknown = models.filter((model) => !LIUM_MODELS.has(model));
  return [
    ...(models.length > 1 ? [found("model", "warning", "gpu-models-differ", `There are ${models.join(", ")}.`)] : []),
    ...unknown.map((model) => found("model", "failure", "gpu-model-unknown", `Lium's table does not list ${model}.`)),
    ...(unknown.length === 0 && models.length === 1 ? [fine("model", `Lium's table lists ${models.join()}.`)] : []),
    ...gpus.flatMap(({ uuid, model, memoryBytes }) => {
      const usual = (LIUM_MODELS.get(model)?.memoryGib ?? 0) * GIB;
      if (usual === 0 || memoryBytes === undefined || Math.abs(memoryBytes - usual) <= MEMORY_WITHIN * usual) return [];
      const gib = (memoryBytes / GIB).toFixed(1);
      return [found("memory", "warning", "gpu-memory-odd", `${uuid} has ${gib} GiB; ${model} has ${usual / GIB}.`)];
    }),
  ];
}

function judgeUse({ uuid, rented, utilisation }: InventoryGpu): Finding[] {
  if (rented) return [fine("use", `${uuid} is rented.`)];
  if (utilisation === undefined) return [];
  if (utilisation < LIUM_LIMITS.busyPercent) return [fine("use", `${uuid} is idle.`)];
  return [found("use", "failure", "gpu-busy", `${uuid} is ${utilisation} % busy, and nobody rents it.`)];
}

function judgeDriver(gpus: readonly InventoryGpu[], nvml: InventoryResult["nvml"]): Finding[] {
  if (!gpus.some(({ vendor }) => vendor === "nvidia")) return [];
  if (nvml === undefined) {
    return [found("driver", "failure", "driver-unreadable", "NVIDIA's management library was not found.")];
  }
  const { version, md5, sha256 } = nvml;
  const listed = NVML_DIGESTS.get(version);
  const digest =
    listed === undefined
      ? found("driver", "warning", "driver-unlisted", `Driver ${version} is not in the table that is known.`)
      : listed[0] === md5 && listed[1] === sha256
        ? fine("driver", `The library of driver ${version} is the one that validators know.`)
        : found("driver", "failure", "driver-altered", `The library of driver ${version} has another digest.`);
  if (!isOlder(version, LIUM_LIMITS.leastDriver)) return [digest];
  const message = `Driver ${version} is older than ${LIUM_LIMITS.leastDriver}.`;
  return [digest, found("driver", "warning", "driver-old", message)];
}

function judgeMachine({ hasTun, runtimes, freeDiskBytes, ports }: InventoryResult): Finding[] {
  const free = `${Math.round(freeDiskBytes / 1e9)} GB of disk are free.`;
  const count = ports.reduce((sum, range) => sum + range.count, 0);
  const { leastPorts, goodPorts, leastDiskBytes } = LIUM_LIMITS;
  return [
    hasTun ? fine("tun", "/dev/net/tun is there.") : found("tun", "failure", "tun-missing", "/dev/net/tun is missing."),
    runtimes.includes("sysbox-runc")
      ? fine("sysbox", "The engine knows sysbox-runc.")
      : found("sysbox", "warning", "sysbox-missing", `The engine knows ${runtimes.join(", ") || "no runtime"} alone.`),
    freeDiskBytes >= leastDiskBytes ? fine("disk", free) : found("disk", "warning", "disk-small", free),
    ...(count < leastPorts
      ? [found("ports", "failure", "ports-too-few", `The range has ${count} ports; ${leastPorts} are the least.`)]
      : count < goodPorts
        ? [found("ports", "warning", "ports-few", `The range has ${count} ports; ${goodPorts} are better.`)]
        : []),
  ];
}

function judgeFacts({ facts }: InventoryResult): Finding[] {
  const differing = facts.filter(({ agree, said }) => !agree && said.length > 1);
  const single = facts.filter(({ agree, said }) => !agree && said.length < 2 && said[0]?.source !== SIMULATION);
  const text = (fact: (typeof facts)[number]): string =>
    `${fact.name}: ${fact.said.map(({ source, value }) => `${source} says ${value}`).join(", ")}. ${fact.why ?? ""}`.trim();
  return [
    ...differing.map((fact) => found("facts", "failure", "facts-disagree", text(fact))),
    ...single.map((fact) => found("facts", "note", "not-tried", text(fact))),
    ...(differing.length === 0
      ? [fine("facts", `${facts.filter(({ agree }) => agree).length} facts have two sources that agree.`)]
      : []),
  ];
}

/** `570.158.01` and the like, number by number. */
function isOlder(version: string, least: string): boolean {
  const [a, b] = [version, least].map((text) => text.split(".").map(Number));
  for (const [place, part] of (b ?? []).entries()) {
    const own = a?.[place] ?? 0;
    if (own !== part) return own < part;
  }
  return false;
}
