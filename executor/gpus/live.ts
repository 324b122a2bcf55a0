/**
 * The accelerators of this machine, looked for again and again: a driver that is installed later, a card that goes or comes
 * are noticed by the next look. Nothing that a driver does holds up whoever asks; they get what was read last.
 */
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import type { Accelerators, AcceleratorVendor } from "../../protocol/accelerator.ts";
import type { Gpu } from "../../protocol/gpu.ts";
import { changesBetween } from "./changes.ts";
import { compose } from "./compose.ts";
import { type Judgement, judged } from "./health/judge.ts";
import type { GpuChange, GpuInventory } from "./inventory.ts";
import { knownOr } from "./known.ts";
import type { NvmlSource } from "./nvidia/nvml/source.ts";
import type { NvmlEvent } from "./nvidia/nvml/words.ts";
import type { NvidiaSource } from "./nvidia/source.ts";
import { type Depth, type GpuSource, nothingRead, type SourceReading } from "./source.ts";
import type { SysfsReading, SysfsSource } from "./sysfs/source.ts";
import { rentableUnits } from "./units.ts";

export interface LiveOptions {
  /** Between looks at what moves by the second. */
  readonly quickMs: number;
  /** Between looks at everything, which also find what is new. */
  readonly fullMs: number;
  /** How long a start waits for the first whole look; after that it goes on with what the bus shows. */
  readonly firstLookMs: number;
}

export interface LiveParts {
  readonly sysfs: Pick<SysfsSource, "read" | "close">;
  readonly nvidia: Pick<NvidiaSource, "expect" | "read" | "close">;
  readonly events?: Pick<NvmlSource, "onEvent">;
  /** Tools that add to the files, asked only where a device of their vendor's is. */
  readonly supplements: readonly { readonly vendor: AcceleratorVendor; readonly source: GpuSource }[];
  readonly clock: Clock;
  readonly log: Logger;
}

const NOTHING: Accelerators = { at: new Date(0).toISOString(), gpus: [], pairs: [], sources: [] };
const PENDING: SourceReading = nothingRead({
  name: "nvidia",
  state: "probe-timeout",
  detail: "It was not heard of yet.",
});

export class LiveInventory implements GpuInventory {
  readonly #options: LiveOptions;
  readonly #parts: LiveParts;
  readonly #listeners = new Set<(changes: readonly GpuChange[]) => void>();
  readonly #stop = new AbortController();
  #loop: Promise<void> | undefined;
  #before: Promise<unknown> = Promise.resolve();
  #files: SysfsReading | undefined;
  /** As the sources say it, and with what was judged of it. */
  #found: Accelerators | undefined;
  #snapshot: Accelerators | undefined;
  #judgement: Judgement = new Map();
  #units: readonly Gpu[] = [];
  #lastFullAt = -Infinity;

  constructor(options: LiveOptions, parts: LiveParts) {
    this.#options = options;
    this.#parts = parts;
  }

  list(): readonly Gpu[] {
    return this.#units;
  }

  snapshot(): Accelerators {
    return this.#snapshot ?? NOTHING;
  }

  found(): Accelerators {
    return this.#found ?? NOTHING;
  }

  judge(judgement: Judgement): void {
    this.#judgement = judgement;
    if (this.#found !== undefined) this.#show(this.#found);
  }

  onChange(listener: (changes: readonly GpuChange[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onEvent(listener: (event: NvmlEvent) => void): () => void {
    return this.#parts.events?.onEvent(listener) ?? (() => undefined);
  }

  /** Begins to look. Resolves after the first whole look, or when that takes too long; it never rejects. */
  async start(): Promise<void> {
    const first = this.look("full").catch(() => undefined);
    this.#loop = first.then(() => this.#run());
    const waited = new AbortController();
    await Promise.race([
      first,
      this.#parts.clock.sleep(this.#options.firstLookMs, waited.signal).catch(() => undefined),
    ]);
    waited.abort();
  }

  lookWhole(before?: Accelerators): Promise<Accelerators> {
    this.#found ??= before;
    return this.look("full");
  }

  /** One look, after the one that is under way. Rejects only when the inventory is closed. */
  look(depth: Depth): Promise<Accelerators> {
    const look = this.#before.then(() => this.#look(depth));
    this.#before = look.catch(() => undefined);
    return look;
  }

  async #look(depth: Depth): Promise<Accelerators> {
    const { signal } = this.#stop;
    const { nvidia, supplements, clock } = this.#parts;
    const files = await this.#readFiles(depth, signal);
    const vendors = new Set(files.readings.map(({ vendor }) => vendor));
    if (this.#found === undefined && vendors.has("nvidia")) this.#publish(files, PENDING, []);
    if (depth === "full" && vendors.has("nvidia")) await nvidia.expect(expectedOf(files));
    const [said, ...added] = await Promise.all([
      vendors.has("nvidia") ? nvidia.read(depth, signal) : undefined,
      ...supplements.filter(({ vendor }) => vendors.has(vendor)).map(({ source }) => source.read(depth, signal)),
    ]);
    if (depth === "full") this.#lastFullAt = clock.monotonic();
    return this.#publish(
      files,
      said,
      added.filter((one) => one !== undefined),
    );
  }

  /** Of NVIDIA's devices with their driver the files say nothing that moves by the second. */
  async #readFiles(depth: Depth, signal: AbortSignal): Promise<SysfsReading> {
    const last = this.#files;
    const isStill =
      last !== undefined && last.state.state === "ok" && last.readings.length > 0 && last.readings.every(isBound);
    if (depth === "quick" && isStill) return last;
    return (this.#files = await this.#parts.sysfs.read(signal));
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#listeners.clear();
    await this.#loop;
    await this.#before;
    const { sysfs, nvidia, supplements } = this.#parts;
    await Promise.all([sysfs.close(), nvidia.close(), ...supplements.map(({ source }) => source.close())]);
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#parts;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await clock.sleep(this.#options.quickMs, signal);
        const isDue = clock.monotonic() - this.#lastFullAt >= this.#options.fullMs;
        await this.look(isDue ? "full" : "quick");
      } catch (error) {
        if (!signal.aborted) log.error("a look at the accelerators failed", { error });
      }
    }
  }

  #publish(
    sysfs: SysfsReading,
    nvidia: SourceReading | undefined,
    supplements: readonly SourceReading[],
  ): Accelerators {
    const at = new Date(this.#parts.clock.now()).toISOString();
    this.#found = compose({ at, sysfs, nvidia, supplements, last: this.#found });
    return this.#show(this.#found);
  }

  #show(found: Accelerators): Accelerators {
    const last = this.#snapshot;
    const next = judged(found, this.#judgement);
    this.#snapshot = next;
    this.#units = rentableUnits(next);
    const changes = changesBetween(last, next);
    for (const change of changes) this.#parts.log.info("an accelerator changed", { ...change });
    if (changes.length > 0) for (const listener of this.#listeners) listener(changes);
    return next;
  }
}

function expectedOf({ readings, nvidiaModule, nvidiaLibrary }: SysfsReading) {
  const bound = readings.filter(isBound);
  return {
    module: `${nvidiaModule ?? "none"} ${nvidiaLibrary ?? ""}`,
    addresses: bound.map(({ pciAddress }) => knownOr(pciAddress, "")),
  };
}

function isBound({ vendor, driver }: SysfsReading["readings"][number]): boolean {
  return vendor === "nvidia" && knownOr(driver?.name, "") === "nvidia";
}
