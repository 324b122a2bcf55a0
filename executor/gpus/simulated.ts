/**
 * GPUs that do not exist, for development without hardware: complete with topology, and with faults to order.
 * Each is marked `simulated`, and its UUID says so too.
 */
import { createHash } from "node:crypto";

import { type Clock, systemClock } from "../../common/clock.ts";
import type { Accelerator, AcceleratorReading, Accelerators, HealthReason } from "../../protocol/accelerator.ts";
import { AppError } from "../../protocol/errors.ts";
import type { Gpu } from "../../protocol/gpu.ts";
import { GpuUuid } from "../../protocol/ids.ts";
import { changesBetween } from "./changes.ts";
import type { GpuChange, GpuInventory } from "./inventory.ts";
import { healthOf, mergeReadings } from "./merge.ts";
import { pairsOf } from "./pairs.ts";
import { type SimulatedModel, SIMULATED_MODELS } from "./simulated-models.ts";
import type { PairReading } from "./source.ts";
import type { Place } from "./sysfs/tree.ts";
import { rentableUnits } from "./units.ts";

const ITEM = /^(?<count>[1-9][0-9]?)x(?<model>[A-Za-z0-9]+)$/;

interface Card {
  readonly reading: AcceleratorReading;
  readonly model: SimulatedModel;
  readonly place: Place;
}

/**
 * GPUs from a text such as `8xH100` or `1xH100,2xArc`; `seed` keeps the UUIDs of two hosts apart and of one host stable.
 * Throws `config-invalid` for a text that is none or a model that is not known.
 */
export function simulatedGpus(text: string, seed: string, clock: Clock = systemClock()): SimulatedInventory {
  const items = text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
  return new SimulatedInventory(
    items.flatMap((item, slot) => cardsOf(item, slot, seed)),
    clock,
  );
}

export class SimulatedInventory implements GpuInventory {
  readonly #cards: readonly Card[];
  readonly #clock: Clock;
  readonly #faults = new Map<string, HealthReason[]>();
  readonly #listeners = new Set<(changes: readonly GpuChange[]) => void>();
  #snapshot: Accelerators;
  #units: readonly Gpu[];

  constructor(cards: readonly Card[], clock: Clock) {
    this.#cards = cards;
    this.#clock = clock;
    this.#snapshot = this.#look();
    this.#units = rentableUnits(this.#snapshot);
  }

  list(): readonly Gpu[] {
    return this.#units;
  }

  snapshot(): Accelerators {
    return this.#snapshot;
  }

  onChange(listener: (changes: readonly GpuChange[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Makes a device sick, as its driver would; the same code again replaces the fault. */
  inject(uuid: GpuUuid, fault: HealthReason): void {
    const others = (this.#faults.get(uuid) ?? []).filter(({ code }) => code !== fault.code);
    this.#faults.set(uuid, [...others, fault]);
    this.#publish();
  }

  /** Takes all of a device's faults away, or the one with this code. */
  clear(uuid: GpuUuid, code?: string): void {
    const left = (this.#faults.get(uuid) ?? []).filter((fault) => code !== undefined && fault.code !== code);
    this.#faults.set(uuid, left);
    this.#publish();
  }

  async start(): Promise<void> {}

  async lookWhole(): Promise<Accelerators> {
    return this.#snapshot;
  }

  async close(): Promise<void> {
    this.#listeners.clear();
  }

  #publish(): void {
    const last = this.#snapshot;
    this.#snapshot = this.#look();
    this.#units = rentableUnits(this.#snapshot);
    const changes = changesBetween(last, this.#snapshot);
    if (changes.length > 0) for (const listener of this.#listeners) listener(changes);
  }

  #look(): Accelerators {
    const gpus = this.#cards
      .map(({ reading }): Accelerator => {
        const gpu = mergeReadings([reading]);
        return { ...gpu, health: healthOf(this.#faults.get(gpu.uuid) ?? []) };
      })
      .toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
    return {
      at: new Date(this.#clock.now()).toISOString(),
      gpus,
      pairs: pairsOf({ gpus, places: this.#cards.map(({ place }) => place), pairs: xgmiPairs(this.#cards) }),
      sources: [{ name: "simulated", state: "ok" }],
    };
  }
}

/** Half of the cards on each of two processors, two behind each switch, as in the vendors' servers. */
function cardsOf(item: string, slot: number, seed: string): Card[] {
  const { count, model: name } = ITEM.exec(item)?.groups ?? {};
  const model = name === undefined ? undefined : SIMULATED_MODELS[name];
  if (model === undefined) {
    const known = Object.keys(SIMULATED_MODELS).join(", ");
    const message = `gpus.simulate: "${item}" is not COUNTxMODEL with a model of ${known}`;
    throw new AppError("config-invalid", { message });
  }
  const total = Number(count);
  return Array.from({ length: total }, (_, index) => {
    const numaNode = total > 1 && index >= total / 2 ? 1 : 0;
    const place = placeOf({ slot, index, numaNode });
    return {
      model,
      place,
      reading: readingOf(model, { uuid: uuidOf(`${seed}/${item}/${index}`), index, place, numaNode }),
    };
  });
}

function placeOf({ slot, index, numaNode }: { slot: number; index: number; numaNode: number }): Place {
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

interface Slot {
  readonly uuid: GpuUuid;
  readonly index: number;
  readonly place: Place;
  readonly numaNode: number;
}

function readingOf(model: SimulatedModel, { uuid, index, place, numaNode }: Slot): AcceleratorReading {
  const { memoryBytes, limitWatts, nvlinks = 0 } = model;
  return {
    uuid,
    vendor: model.vendor,
    model: model.model,
    index,
    pciAddress: place.address,
    numaNode,
    localCpus: numaNode === 0 ? "0-31" : "32-63",
    driver: { name: model.driver, version: model.driverVersion, runtimeVersion: model.runtimeVersion },
    memory: { totalBytes: memoryBytes, usedBytes: 0, freeBytes: memoryBytes, reservedBytes: 0 },
    utilisation: { gpuPercent: 0, memoryPercent: 0 },
    temperature: { gpuCelsius: 31 + (index % 4) },
    power: { drawWatts: Math.round(limitWatts / 10), limitWatts, defaultLimitWatts: limitWatts },
    throttle: { reasons: ["idle"] },
    pcie: { generation: 5, width: 16, maxGeneration: 5, maxWidth: 16 },
    fabric: nvlinks > 0 ? { state: "completed", health: "healthy" } : {},
    fabricLinks: Array.from({ length: nvlinks }, (_, link) => ({
      index: link,
      kind: "nvlink",
      active: true,
      remote: "switch",
      errors: 0,
    })),
    recoveryAction: model.vendor === "nvidia" ? "none" : { unavailable: "not-supported" },
    processes: [],
    partitioned: false,
    sources: ["simulated"],
    simulated: true,
  };
}

const XGMI_WEIGHT = 15;

function xgmiPairs(cards: readonly Card[]): PairReading[] {
  const joined = cards.filter(({ model }) => model.xgmi === true).map(({ place }) => place.address);
  return joined.flatMap((a, at) => joined.slice(at + 1).map((b) => ({ a, b, xgmiWeight: XGMI_WEIGHT })));
}

function uuidOf(text: string): GpuUuid {
  const hex = createHash("sha256").update(text).digest("hex");
  return GpuUuid.parse(`GPU-SIM-${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 24)}`);
}
