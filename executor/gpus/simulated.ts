/**
 * GPUs that do not exist, for development without hardware: complete with topology, and with faults to order.
 * Each is marked `simulated`, and its UUID says so too.
 */
import { type Clock, systemClock } from "../../common/clock.ts";
import type { Accelerator, Accelerators, HealthReason } from "../../protocol/accelerator.ts";
import type { Gpu } from "../../protocol/gpu.ts";
import type { GpuUuid } from "../../protocol/ids.ts";
import { changesBetween } from "./changes.ts";
import { type Judgement, judged } from "./health/judge.ts";
import type { GpuChange, GpuInventory } from "./inventory.ts";
import { healthOf, mergeReadings } from "./merge.ts";
import { pairsOf } from "./pairs.ts";
import { type Card, cardsOf, xgmiPairs } from "./simulated-cards.ts";
import { rentableUnits } from "./units.ts";

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
  #judgement: Judgement = new Map();
  #found: Accelerators;
  #snapshot: Accelerators;
  #units: readonly Gpu[];

  constructor(cards: readonly Card[], clock: Clock) {
    this.#cards = cards;
    this.#clock = clock;
    this.#found = this.#look();
    this.#snapshot = this.#found;
    this.#units = rentableUnits(this.#snapshot);
  }

  list(): readonly Gpu[] {
    return this.#units;
  }

  snapshot(): Accelerators {
    return this.#snapshot;
  }

  found(): Accelerators {
    return this.#found;
  }

  judge(judgement: Judgement): void {
    this.#judgement = judgement;
    this.#publish();
  }

  onChange(listener: (changes: readonly GpuChange[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onEvent(): () => void {
    return () => undefined;
  }

  /** The faults that were ordered and not taken away. */
  faults(): ReadonlyMap<string, readonly HealthReason[]> {
    return this.#faults;
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
    if (left.length > 0) this.#faults.set(uuid, left);
    else this.#faults.delete(uuid);
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
    this.#found = this.#look();
    this.#snapshot = judged(this.#found, this.#judgement);
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
