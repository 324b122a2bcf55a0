/**
 * The way of this host's accelerators into its pods: what can be given now, what of it somebody else holds, and what a pod's
 * container gets. A host without real accelerators is never looked at.
 */
import type { Clock } from "../../../common/clock.ts";
import type { Logger } from "../../../common/logger.ts";
import { startTicker, type Ticker } from "../../../common/ticker.ts";
import type { Accelerators } from "../../../protocol/accelerator.ts";
import { AppError } from "../../../protocol/errors.ts";
import type { Gpu } from "../../../protocol/gpu.ts";
import type { GpuUuid } from "../../../protocol/ids.ts";
import type { ContainerDevices } from "../../docker/runtime.ts";
import type { GpuInventory } from "../inventory.ts";
import { findUnit } from "./find-unit.ts";
import { type Givable, givable, type GivingProblem } from "./givable.ts";
import { type Grant, grantOf } from "./grant.ts";
import { everyUnit, heldBy } from "./holders.ts";
import type { HostSetup } from "./setup.ts";

export interface PassthroughDeps {
  readonly inventory: Pick<GpuInventory, "list" | "snapshot" | "onChange">;
  /** Looks at the host anew. */
  readonly readSetup: (snapshot: Accelerators, signal: AbortSignal) => Promise<HostSetup>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Specifications are written anew, and engines set up, while the executor runs. */
const LOOK_EVERY_MS = 30_000;
const LOOK_MS = 10_000;

/** A container that may hold accelerators and is no pod whose record is known. */
export interface Holder {
  readonly name: string;
  /** Whether it is one of our pods, which may hold made-up GPUs, that no container shows. */
  readonly ours: boolean;
  /** Undefined when nobody can find out. */
  readonly devices: ContainerDevices | undefined;
}

export class Passthrough {
  readonly #deps: PassthroughDeps;
  readonly #closing = new AbortController();
  readonly #listeners = new Set<() => void>();
  #ticker: Ticker | undefined;
  #setup: HostSetup | undefined;
  #told = "";
  #holders: readonly Holder[] = [];
  /** What was there when it was last asked who holds it. */
  #asked: ReadonlySet<GpuUuid> = new Set();
  #held: ReadonlyMap<GpuUuid, string> = new Map();
  /** By ourselves, for a while. */
  readonly #reserved = new Map<GpuUuid, string>();

  constructor(deps: PassthroughDeps) {
    this.#deps = deps;
  }

  /** Resolves after a first look, whatever came of it. */
  async start(): Promise<void> {
    const { clock, log, inventory } = this.#deps;
    const looked = Promise.withResolvers<void>();
    const stop = inventory.onChange(() => {
      this.#reckon();
      this.#tell();
    });
    this.#closing.signal.addEventListener("abort", stop, { once: true });
    const onError = (error: unknown): void => log.warn("it cannot be found out how GPUs are given to pods", { error });
    const run = (signal: AbortSignal): Promise<void> => this.#look(signal).finally(looked.resolve);
    this.#ticker = startTicker({ clock, everyMs: LOOK_EVERY_MS, run, onError }, this.#closing.signal);
    await looked.promise;
  }

  /** What renters are offered: what is sound, can be given, and is known to be held by nobody else. */
  offered(): Gpu[] {
    const sound = new Set(this.#deps.inventory.list().map(({ uuid }) => uuid));
    return this.#givable().units.filter(
      ({ uuid, simulated }) => sound.has(uuid) && !this.#held.has(uuid) && (simulated || this.#asked.has(uuid)),
    );
  }

  problems(): readonly GivingProblem[] {
    return this.#givable().problems;
  }

  /** Told when `offered` or `problems` may have changed, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** By whom units are held that is no pod of ours: containers by their names, and a validator's challenge. */
  get blocked(): ReadonlyMap<GpuUuid, string> {
    return new Map([...this.#held, ...this.#reserved]);
  }

  /** Whether containers of others can hold any of these accelerators. */
  get hasReal(): boolean {
    return this.#deps.inventory.snapshot().gpus.some(({ simulated }) => !simulated);
  }

  /** Replaces what was known of holders; `asked` is whether the containers of others were looked at too. */
  hold(holders: readonly Holder[], asked: boolean): void {
    this.#holders = holders;
    this.#asked = new Set(asked ? everyUnit(this.#deps.inventory.snapshot().gpus) : []);
    this.#reckon();
    this.#tell();
  }

  /** Keeps these from every pod, for `whom`, until the returned function is called. They stay on offer: it is not for long. */
  reserve(uuids: readonly GpuUuid[], whom: string): () => void {
    for (const uuid of uuids) this.#reserved.set(uuid, whom);
    return () => {
      for (const uuid of uuids) this.#reserved.delete(uuid);
    };
  }

  /**
   * What a container with these units gets; undefined where none is real, and then nothing is looked at. Rejects with
   * `gpu-not-given` when one of them cannot be given now.
   */
  async give(uuids: readonly GpuUuid[], signal: AbortSignal): Promise<Grant | undefined> {
    const snapshot = this.#deps.inventory.snapshot();
    if (uuids.every((uuid) => findUnit(snapshot, uuid)?.device.simulated === true)) return undefined;
    const setup = await this.#deps.readSetup(snapshot, signal);
    const grant = grantOf(uuids, snapshot, setup);
    if (grant !== undefined && "lack" in grant) {
      throw new AppError("gpu-not-given", { message: grant.lack, details: { uuids } });
    }
    return grant;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#ticker?.done;
  }

  #reckon(): void {
    const snapshot = this.#deps.inventory.snapshot();
    const context = { snapshot, cdiDevices: this.#setup?.cdiDevices ?? new Map() };
    const holders = new Map<GpuUuid, string>();
    for (const { name, ours, devices } of this.#holders) {
      const hidden = snapshot.gpus.filter(({ simulated }) => (simulated ? ours : devices === undefined));
      const held = [...everyUnit(hidden), ...(devices === undefined ? [] : heldBy(devices, context))];
      for (const uuid of held) holders.set(uuid, holders.get(uuid) ?? name);
    }
    this.#held = holders;
  }

  #givable(): Givable {
    return givable(this.#deps.inventory.snapshot(), this.#setup);
  }

  async #look(signal: AbortSignal): Promise<void> {
    if (!this.hasReal) return;
    const within = AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]);
    this.#setup = await this.#deps.readSetup(this.#deps.inventory.snapshot(), within);
    this.#reckon();
    this.#tell();
  }

  #tell(): void {
    const now = JSON.stringify([this.offered(), this.problems()]);
    if (now === this.#told) return;
    this.#told = now;
    for (const listener of this.#listeners) listener();
  }
}
