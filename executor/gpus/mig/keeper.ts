/**
 * Keeps GPUs cut as the configuration wants it: after a boot or a reset, which forget instances, they are cut again before
 * pods start; a GPU in use is left as it is until it is idle. GPUs that the configuration does not name are never touched.
 */
import type { Clock } from "../../../common/clock.ts";
import type { Lifecycle } from "../../../common/lifecycle.ts";
import type { Logger } from "../../../common/logger.ts";
import { startTicker } from "../../../common/ticker.ts";
import type { Accelerator, Accelerators } from "../../../protocol/accelerator.ts";
import { toAppError } from "../../../protocol/errors.ts";
import type { GpuUuid } from "../../../protocol/ids.ts";
import { isUnavailable, knownOr } from "../known.ts";
import type { MigDriver, MigReading } from "./driver.ts";
import { gridOfModel } from "./grid.ts";
import { readLayouts, writeLayouts } from "./layouts.ts";
import type { Placed } from "./place.ts";
import { type GeometryPlan, planGeometry } from "./plan.ts";

export interface MigOptions {
  /** Names of profiles by the GPUs' UUIDs. */
  readonly wanted: ReadonlyMap<GpuUuid, readonly string[]>;
  /** Where it is remembered how they were cut. */
  readonly file: string;
}

export interface MigParts {
  readonly driver: MigDriver;
  readonly snapshot: () => Accelerators;
  /** Looks at everything anew; called after a change. */
  readonly look: () => Promise<unknown>;
  /** Runs `work` while none of these can be given to a pod; undefined, and nothing was run, where one may be held. */
  readonly alone: <T>(units: readonly GpuUuid[], work: () => Promise<T>) => Promise<T | undefined>;
  readonly log: Logger;
}

export interface MigOutcome {
  readonly state: "as-wanted" | "waiting" | "failed";
  readonly why: string;
}

const AS_WANTED: MigOutcome = { state: "as-wanted", why: "It is cut as wanted." };
const HELD: MigOutcome = { state: "waiting", why: "A pod holds it or a part of it." };
/** To turn the mode on, to cut, and to see that it is as wanted. */
const MOST_TURNS = 3;

export class MigKeeper {
  readonly #options: MigOptions;
  readonly #parts: MigParts;
  readonly #outcomes = new Map<GpuUuid, MigOutcome>();
  #layouts: ReadonlyMap<string, readonly Placed[]> | undefined;

  constructor(options: MigOptions, parts: MigParts) {
    this.#options = options;
    this.#parts = parts;
  }

  outcomes(): ReadonlyMap<GpuUuid, MigOutcome> {
    return this.#outcomes;
  }

  /** One after the other, because a reset of one may disturb the next. Rejects only when the signal aborts. */
  async keep(signal: AbortSignal): Promise<void> {
    for (const [device, wanted] of this.#options.wanted) {
      const outcome = await this.#keepOne(device, wanted, signal).catch((error: unknown): MigOutcome => {
        signal.throwIfAborted();
        return { state: "failed", why: toAppError(error).message };
      });
      const { log } = this.#parts;
      if (this.#outcomes.get(device)?.why !== outcome.why) {
        const line = outcome.state === "failed" ? log.warn : log.info;
        line.call(log, "how a GPU is cut", { device, ...outcome });
      }
      this.#outcomes.set(device, outcome);
    }
  }

  async #keepOne(device: GpuUuid, wanted: readonly string[], signal: AbortSignal): Promise<MigOutcome> {
    const gpu = this.#parts.snapshot().gpus.find(({ uuid }) => uuid === device);
    if (gpu === undefined) return { state: "waiting", why: "There is no such GPU." };
    if (gpu.health.state === "fenced") return { state: "waiting", why: "It is fenced." };
    this.#layouts ??= await readLayouts(this.#options.file);
    if (this.#layouts.has(device) && isSeenAs(gpu, wanted)) return AS_WANTED;
    const units = [device, ...gpu.partitions.map(({ uuid }) => uuid)];
    return (await this.#parts.alone(units, () => this.#cut(gpu, wanted, signal))) ?? HELD;
  }

  async #cut(gpu: Accelerator, wanted: readonly string[], signal: AbortSignal): Promise<MigOutcome> {
    const { driver, look } = this.#parts;
    for (let turn = 0; turn < MOST_TURNS; turn += 1) {
      const reading = await driver.read(gpu.uuid, signal);
      const plan = this.#plan(gpu, wanted, reading);
      if (plan.kind === "done") {
        await this.#remember(gpu.uuid, reading);
        await look();
        return AS_WANTED;
      }
      if (plan.kind === "enable") await driver.enable(gpu.uuid, signal);
      else if (plan.kind === "cut") {
        await driver.destroy(gpu.uuid, plan.destroy, signal);
        await driver.create(gpu.uuid, plan.create, signal);
      } else return { state: plan.kind === "impossible" ? "failed" : "waiting", why: plan.why };
    }
    return { state: "failed", why: "It is still not cut as wanted." };
  }

  #plan(gpu: Accelerator, wanted: readonly string[], { mode, grid, present }: MigReading): GeometryPlan {
    const table = gridOfModel(knownOr(gpu.model, ""), knownOr(gpu.memory.totalBytes, 0));
    const before = this.#layouts?.get(gpu.uuid);
    return planGeometry({ mode, grid: grid ?? table, present, wanted, before, users: usersOf(gpu) });
  }

  async #remember(device: GpuUuid, { present }: MigReading): Promise<void> {
    const layout = present.map(({ profile, start }) => ({ profile, start }));
    if (JSON.stringify(this.#layouts?.get(device)) === JSON.stringify(layout)) return;
    this.#layouts = new Map([...(this.#layouts ?? []), [device, layout]]);
    await writeLayouts(this.#options.file, this.#layouts);
  }
}

const EVERY_MS = 60_000;
/** A start of the executor waits no longer than this for GPUs to be cut. */
const FIRST_MS = 60_000;

/** Resolves when it was tried once for every GPU; what waits or failed is tried again every minute. */
export async function startMig(
  options: MigOptions,
  parts: MigParts & { readonly clock: Clock; readonly life: Pick<Lifecycle, "add"> },
): Promise<MigKeeper> {
  const keeper = new MigKeeper(options, parts);
  if (options.wanted.size === 0) return keeper;
  const { clock, log, life } = parts;
  const [stop, first] = [new AbortController(), Promise.withResolvers<void>()];
  const run = (signal: AbortSignal): Promise<void> => keeper.keep(signal).finally(first.resolve);
  const onError = (error: unknown): void => log.error("looking after how GPUs are cut failed", { error });
  const ticker = startTicker({ clock, everyMs: EVERY_MS, run, onError }, stop.signal);
  life.add("mig", async () => {
    stop.abort();
    await ticker.done;
  });
  const waited = new AbortController();
  await Promise.race([first.promise, clock.sleep(FIRST_MS, waited.signal).catch(() => undefined)]);
  waited.abort();
  return keeper;
}

/** Whether the last look at the GPU found it cut into just these. */
function isSeenAs({ partitions }: Accelerator, wanted: readonly string[]): boolean {
  const seen = partitions.map(({ profile }) => knownOr(profile, "")).toSorted();
  return seen.join() === wanted.toSorted().join();
}

/** What cannot be seen may well be there. */
function usersOf({ processes }: Accelerator): string[] {
  if (isUnavailable(processes)) return ["programs that cannot be seen"];
  return processes.map(({ pid }) => `process ${pid}`);
}
