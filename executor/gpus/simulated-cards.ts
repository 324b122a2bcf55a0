/**
 * The cards that a text such as `8xH100` stands for, in the places and with the links of the vendors' own servers: half of
 * them on each of two processors, two behind each switch.
 */
import { createHash } from "node:crypto";

import type { AcceleratorReading, FabricLink } from "../../protocol/accelerator.ts";
import { AppError } from "../../protocol/errors.ts";
import { GpuUuid } from "../../protocol/ids.ts";
import { gridOfModel, profileOf } from "./mig/grid.ts";
import { placeBeside } from "./mig/place.ts";
import { type SimulatedModel, SIMULATED_MODELS } from "./simulated-models.ts";
import type { PairReading } from "./source.ts";
import type { Place } from "./sysfs/tree.ts";

export interface Card {
  readonly reading: AcceleratorReading;
  readonly place: Place;
  /** Cards of one hive are joined over XGMI, every two of them. */
  readonly hive?: string;
}

const ITEM = /^(?<count>[1-9][0-9]?)x(?<model>[A-Za-z0-9]+)(?::(?<parts>[1-8])x(?<profile>\d+g\.\d+gb))?$/;

/**
 * From `8xH100`, or `2xH100:7x1g.10gb` for cards that are cut by MIG. `slot` keeps the places of several items apart.
 * Throws `config-invalid` for a text that is none, an unknown model, or parts that do not fit.
 */
export function cardsOf(item: string, slot: number, seed: string): Card[] {
  const { count, model: name, parts, profile } = ITEM.exec(item)?.groups ?? {};
  const model = name === undefined ? undefined : SIMULATED_MODELS[name];
  if (model === undefined) {
    const known = Object.keys(SIMULATED_MODELS).join(", ");
    throw invalid(`"${item}" is not COUNTxMODEL with a model of ${known}`);
  }
  const total = Number(count);
  return Array.from({ length: total }, (_, index) => {
    const here = { slot, index, total };
    const whole = readingOf(model, { ...here, uuid: uuidOf(`${seed}/${item}/${index}`) });
    const reading = profile === undefined ? whole : cut(whole, model, { profile, parts: Number(parts) });
    const hive = model.hive === undefined ? {} : { hive: `${slot}/${Math.floor(index / model.hive)}` };
    return { reading, place: placeOf(here), ...hive };
  });
}

const XGMI_WEIGHT = 15;

export function xgmiPairs(cards: readonly Card[]): PairReading[] {
  return cards.flatMap(({ hive, place }, at) =>
    cards
      .slice(at + 1)
      .filter((other) => hive !== undefined && other.hive === hive)
      .map((other) => ({ a: place.address, b: other.place.address, xgmiWeight: XGMI_WEIGHT })),
  );
}

interface Here {
  readonly slot: number;
  readonly index: number;
  readonly total: number;
}

function numaNodeOf({ index, total }: Here): number {
  return total > 1 && index >= total / 2 ? 1 : 0;
}

function placeOf(here: Here): Place {
  const { slot, index } = here;
  const numaNode = numaNodeOf(here);
  const domain = (0x10 + slot).toString(16).padStart(4, "0");
  const at = (bus: number, device: string): string => `${domain}:${bus.toString(16).padStart(2, "0")}:${device}`;
  const complex = 0x40 * numaNode;
  const board = complex + 4 * Math.floor(index / 2) + 1;
  const address = at(board + 2 + (index % 2), "00.0");
  const path = [
    "/sys/devices",
    `pci${domain}:${complex.toString(16).padStart(2, "0")}`,
    at(complex, `${(1 + (Math.floor(index / 2) % 16)).toString(16).padStart(2, "0")}.0`),
  ];
  return { address, numaNode, path: [...path, at(board, "00.0"), at(board + 1, `0${index % 2}.0`), address].join("/") };
}

function readingOf(model: SimulatedModel, { uuid, ...here }: Here & { readonly uuid: GpuUuid }): AcceleratorReading {
  const { memoryBytes, limitWatts } = model;
  const numaNode = numaNodeOf(here);
  return {
    uuid,
    vendor: model.vendor,
    model: model.model,
    index: here.index,
    pciAddress: placeOf(here).address,
    numaNode,
    localCpus: numaNode === 0 ? "0-31" : "32-63",
    driver: { name: model.driver, version: model.driverVersion, runtimeVersion: model.runtimeVersion },
    memory: { totalBytes: memoryBytes, usedBytes: 0, freeBytes: memoryBytes, reservedBytes: 0 },
    utilisation: { gpuPercent: 0, memoryPercent: 0 },
    temperature: { gpuCelsius: 31 + (here.index % 4) },
    power: { drawWatts: Math.round(limitWatts / 10), limitWatts, defaultLimitWatts: limitWatts },
    throttle: { reasons: ["idle"] },
    pcie: { generation: 5, width: 16, maxGeneration: 5, maxWidth: 16 },
    fabric: model.switchLinks === undefined ? {} : { state: "completed", health: "healthy" },
    fabricLinks: fabricLinksOf(model, here),
    recoveryAction: model.vendor === "nvidia" ? "none" : { unavailable: "not-supported" },
    processes: [],
    partitioned: false,
    sources: ["simulated"],
    simulated: true,
  };
}

/** To the switches of its board, or over a bridge to the card beside it. */
function fabricLinksOf({ switchLinks, bridgeLinks = 0 }: SimulatedModel, here: Here): FabricLink[] {
  const beside = here.index % 2 === 0 ? here.index + 1 : here.index - 1;
  const remote = beside < here.total ? { remotePciAddress: placeOf({ ...here, index: beside }).address } : undefined;
  const links = switchLinks ?? (remote === undefined ? 0 : bridgeLinks);
  return Array.from({ length: links }, (_, index): FabricLink => {
    const link = { index, kind: "nvlink", active: true, errors: 0 } as const;
    if (switchLinks !== undefined || remote === undefined) {
      return { ...link, remote: "switch", remotePciAddress: { unavailable: "not-read" } };
    }
    return { ...link, remote: "gpu", ...remote };
  });
}

function cut(
  whole: AcceleratorReading,
  { model, memoryBytes }: SimulatedModel,
  { profile: name, parts }: { readonly profile: string; readonly parts: number },
): AcceleratorReading {
  const grid = gridOfModel(model, memoryBytes);
  const placed = grid && placeBeside(grid, [], Array<string>(parts).fill(name));
  const profile = grid && profileOf(grid, name);
  if (placed === undefined || profile === undefined) throw invalid(`${model} cannot be cut into ${parts} ${name}`);
  const slices = Math.max(...(grid?.profiles ?? []).map(({ size }) => size));
  const partitions = placed.map((_, index) => ({
    uuid: uuidOf(`${whole.uuid}/${index}`, "MIG"),
    kind: "mig" as const,
    parent: whole.uuid,
    index,
    profile: name,
    computeSlices: profile.computeSlices,
    memorySlices: profile.size,
    gpuInstance: index + 1,
    computeInstance: 0,
    memory: { totalBytes: Math.floor((memoryBytes * profile.size) / slices), usedBytes: 0 },
  }));
  return { ...whole, partitioned: true, partitions };
}

function invalid(why: string): AppError {
  return new AppError("config-invalid", { message: `gpus.simulate: ${why}` });
}

function uuidOf(text: string, kind: "GPU" | "MIG" = "GPU"): GpuUuid {
  const hex = createHash("sha256").update(text).digest("hex");
  return GpuUuid.parse(`${kind}-SIM-${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 24)}`);
}
