/**
 * Strays: leftovers of ours that belong to no pod are found, reported, and removed once they have lain about for the grace
 * period. Nothing is concluded unless the engine and the ledger can both be read, and each removal asks the ledger again.
 */
import { z } from "zod";

import type { Clock } from "../../common/clock.ts";
import type { KeyedLock } from "../../common/keyed-lock.ts";
import type { Logger } from "../../common/logger.ts";
import { startTicker } from "../../common/ticker.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import type { StrayFinding, StrayReport } from "../../protocol/host-api/strays.ts";
import type { StrayObjects } from "../docker/stray-objects.ts";
import { type EndResult, stuckError } from "../pods/ending.ts";
import { findStrays, type Known, type Sight, type Stray, verdictOf } from "./decide.ts";
import type { HostThings } from "./host-things.ts";

export interface StraysOptions {
  readonly graceMs: number;
  readonly everyMs: number;
  /** Whose entries are one folder for each pod. */
  readonly podFolders: readonly string[];
}

export interface StraysDeps {
  readonly objects: StrayObjects;
  readonly things: HostThings;
  /** Ends a container by its name, by the ladder. */
  readonly end: (name: string, signal: AbortSignal) => Promise<EndResult>;
  /** Undefined until the ledger and the engine's containers have been read. */
  readonly known: () => Known | undefined;
  /** Keeps a text of ours across restarts. */
  readonly memory: { readonly load: () => string | undefined; readonly save: (text: string) => void };
  readonly lock: KeyedLock;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Sweep {
  /** Changes nothing, and remembers nothing. */
  readonly dryRun: boolean;
  /** The configured one when left out. */
  readonly graceMs?: number;
}

/** A look at lists and folders; removing has limits of its own for each object. */
const LOOK_MS = 30_000;
/** What a start waits for the first sweep at most: one leftover that cannot end holds up no boot. */
const FIRST_SWEEP_MS = 5_000;

export class Strays {
  readonly #options: StraysOptions;
  readonly #deps: StraysDeps;
  readonly #closing = new AbortController();
  #done: Promise<void> | undefined;

  constructor(options: StraysOptions, deps: StraysDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** Sweeps now and every so often; resolves after the first sweep, or after a while without it. To be called once. */
  async start(): Promise<void> {
    const { clock, log } = this.#deps;
    const { signal } = this.#closing;
    const first = Promise.withResolvers<void>();
    const run = async (): Promise<void> => void (await this.sweep({ dryRun: false }, signal).finally(first.resolve));
    const onError = (error: unknown): void => log.warn("leftovers could not be looked for", { error });
    this.#done = startTicker({ clock, everyMs: this.#options.everyMs, run, onError }, signal).done;
    const timer = new AbortController();
    const patience = clock.sleep(FIRST_SWEEP_MS, AbortSignal.any([timer.signal, signal])).catch(() => undefined);
    await Promise.race([first.promise, patience]);
    timer.abort();
  }

  /** Stops sweeping; what is being removed is left to the next start. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#done;
  }

  /** Looks once and removes what is due. One sweep at a time. Rejects only with the signal's reason. */
  sweep(sweep: Sweep, signal: AbortSignal): Promise<StrayReport> {
    return this.#deps.lock.run("strays", () => this.#sweep(sweep, signal), signal);
  }

  async #sweep({ dryRun, graceMs = this.#options.graceMs }: Sweep, signal: AbortSignal): Promise<StrayReport> {
    const { known, clock, log } = this.#deps;
    const nowMs = clock.now();
    const head = { at: new Date(nowMs).toISOString(), dryRun, graceSeconds: graceMs / 1000 };
    const seen = await this.#look(signal);
    const atFirst = known();
    if (seen instanceof AppError) return { ...head, problem: seen.message, strays: [] };
    if (atFirst === undefined) return { ...head, problem: "What this host promised is not read yet.", strays: [] };

    const strays = findStrays(seen, atFirst);
    const since = this.#since(strays, nowMs);
    if (!dryRun) this.#deps.memory.save(JSON.stringify(Object.fromEntries(since)));
    const findings: StrayFinding[] = [];
    for (const stray of strays) {
      const sinceMs = stray.createdAtMs ?? since.get(keyOf(stray)) ?? nowMs;
      const verdict = verdictOf(stray, { sinceMs, nowMs, graceMs });
      const { kind, name, why, spared } = stray;
      const finding = { kind, name, why, ageSeconds: Math.max(0, Math.round((nowMs - sinceMs) / 1000)) };
      if (verdict === "report") findings.push({ ...finding, outcome: "kept", detail: spared ?? "" });
      else if (verdict === "young") findings.push({ ...finding, outcome: "young" });
      else if (dryRun) findings.push({ ...finding, outcome: "would-remove" });
      else findings.push({ ...finding, ...(await this.#remove(stray, seen, signal)) });
    }
    const removed = findings.filter(({ outcome }) => outcome === "removed" || outcome === "failed");
    if (removed.length > 0) log.warn("leftovers that belong to no pod were removed", { strays: removed });
    return { ...head, strays: findings };
  }

  async #look(signal: AbortSignal): Promise<Sight | AppError> {
    const { objects, things } = this.#deps;
    const within = AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]);
    const late = Promise.withResolvers<never>();
    const giveUp = (): void =>
      late.reject(new AppError("deadline-exceeded", { message: "Looking around took too long." }));
    within.addEventListener("abort", giveUp, { once: true });
    try {
      const look = Promise.all([objects.list(within), things.list(this.#options.podFolders, within)]);
      const [engine, host] = await Promise.race([look, late.promise]);
      return { engine, host };
    } catch (error) {
      signal.throwIfAborted();
      return toAppError(error);
    } finally {
      within.removeEventListener("abort", giveUp);
    }
  }

  /** When each stray that does not say its age was first seen to lie about. What belongs to somebody again is forgotten. */
  #since(strays: readonly Stray[], nowMs: number): Map<string, number> {
    const remembered = remember(this.#deps.memory.load());
    const ageless = strays.filter(({ createdAtMs }) => createdAtMs === undefined).map(keyOf);
    return new Map(ageless.map((key) => [key, remembered.get(key) ?? nowMs]));
  }

  async #remove(stray: Stray, seen: Sight, signal: AbortSignal): Promise<Pick<StrayFinding, "outcome" | "detail">> {
    const known = this.#deps.known();
    const isStill = known !== undefined && findStrays(seen, known).some((each) => keyOf(each) === keyOf(stray));
    if (!isStill) return { outcome: "kept", detail: "it belongs to a pod now" };
    try {
      await this.#removeNow(stray, signal);
      return { outcome: "removed" };
    } catch (error) {
      signal.throwIfAborted();
      return { outcome: "failed", detail: toAppError(error).message };
    }
  }

  async #removeNow({ kind, name }: Stray, signal: AbortSignal): Promise<void> {
    const { objects, things, end } = this.#deps;
    switch (kind) {
      case "container": {
        const result = await end(name, signal);
        if (result.kind === "stuck") throw stuckError(result);
        return;
      }
      case "volume":
        return objects.removeVolume(name, signal);
      case "network":
        return objects.removeNetwork(name, signal);
      case "mount":
        return things.unmount(name, signal);
      case "loop":
        return things.detachLoop(name, signal);
      case "folder":
        return things.removeFolder(name, signal);
      case "table":
        throw new AppError("internal", { message: "A table is only ever reported." });
    }
  }
}

function keyOf({ kind, name }: Pick<Stray, "kind" | "name">): string {
  return `${kind} ${name}`;
}

/** A memory that cannot be read is a young one: everything waits for its grace again. */
function remember(text: string | undefined): Map<string, number> {
  try {
    return new Map(Object.entries(Memory.parse(JSON.parse(text ?? "{}"))));
  } catch {
    return new Map();
  }
}

const Memory = z.record(z.string(), z.number());
