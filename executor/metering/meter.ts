/**
 * The meter of this host: takes what lanes see, and keeps the record of usage. It never throws at a lane: what cannot be
 * stored, as on a full disk, waits in memory and is stored as soon as that is possible.
 */
import { setImmediate as letOthersRun } from "node:timers/promises";

import { readKnown } from "../../common/lenient.ts";
import type { Logger } from "../../common/logger.ts";
import type { PodId } from "../../protocol/ids.ts";
import {
  type ChainedEntry,
  type SignedSeal,
  UsageEntry,
  type UsageLine,
  type UsageQuery,
  type UsageTotal,
  type UsageVerdict,
} from "../../protocol/usage.ts";
import { accrue, type Accrual, type Observation, type Open } from "./accrue.ts";
import type { BootClock } from "./boot-clock.ts";
import type { Link } from "./chain.ts";
import type { MeterState } from "./meter-state.ts";
import { Totals } from "./totals.ts";
import type { Counters } from "./traffic.ts";
import type { UsageStore } from "./usage-store.ts";
import { verifyUsage } from "./verify.ts";

export interface MeterDeps {
  readonly store: UsageStore;
  readonly clock: BootClock;
  readonly log: Logger;
  /** base64 of the host's ed25519 public key. */
  readonly host: string;
  readonly readCounters: (bridge: string) => Counters | undefined;
}

interface Metered {
  readonly open: Open;
  /** Undefined until a lane has told of the pod since the executor started. */
  readonly state: MeterState | undefined;
}

const PAGE = 500;

export class Meter {
  readonly #deps: MeterDeps;
  readonly #pods = new Map<PodId, Metered>();
  #entries: UsageEntry[] = [];
  readonly #changed = new Map<PodId, Open | undefined>();
  #verifying = 0;
  #isFailing = false;

  constructor(deps: MeterDeps) {
    this.#deps = deps;
    for (const open of deps.store.open())
      this.#pods.set(open.podId, { open: { ...open, gap: true }, state: undefined });
  }

  /** To be told on every look at a pod, also when nothing seems to have changed. */
  observe(podId: PodId, state: MeterState): void {
    const before = this.#pods.get(podId)?.open;
    const { open } = this.#take(podId, state, false);
    if (this.#entries.length > 0 || isNews(before, open)) this.#commit();
  }

  /** Closes the intervals of all pods, in one step; what a lane has not told of yet is left open. */
  tick(): void {
    this.#commit();
    if (this.#isFailing) return;
    for (const [podId, { state }] of this.#pods) {
      if (state !== undefined) this.#take(podId, state, true);
    }
    this.#commit();
  }

  /** Whether the record cannot be written now. Usage is kept in memory meanwhile. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** Entries in the order in which they were written. One that cannot be read is left out; `verify` tells of it. */
  async *read(query: UsageQuery): AsyncGenerator<ChainedEntry> {
    const { store } = this.#deps;
    const from = query.from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(query.from);
    const to = query.to === undefined ? Number.POSITIVE_INFINITY : Date.parse(query.to);
    let page = store.after(0, PAGE, query.podId);
    while (page.length > 0) {
      for (const { seq, body, hash } of page) {
        const entry = readKnown(UsageEntry, body);
        if (entry !== undefined && entry.atMs >= from && entry.atMs < to) yield { seq, entry, hash };
      }
      await letOthersRun();
      page = store.after(page.at(-1)?.seq ?? 0, PAGE, query.podId);
    }
  }

  /** What `read` gives, then a total for each pod, then the signed end of the chain. */
  async *export(query: UsageQuery): AsyncGenerator<UsageLine> {
    const totals = new Totals();
    for await (const line of this.read(query)) {
      totals.add(line.entry);
      yield line;
    }
    for (const total of totals.list()) yield { total };
    const head = this.head;
    if (head !== undefined) yield { head };
  }

  async totals(query: UsageQuery): Promise<UsageTotal[]> {
    const totals = new Totals();
    for await (const { entry } of this.read(query)) totals.add(entry);
    return totals.list();
  }

  /** The signed end of the chain: to be noted elsewhere by whoever wants to find a rollback. */
  get head(): SignedSeal | undefined {
    return this.#deps.store.seal("head");
  }

  async verify(known?: Link): Promise<UsageVerdict> {
    const { store, host } = this.#deps;
    this.#verifying += 1;
    try {
      return await verifyUsage(store, { host, known });
    } finally {
      this.#verifying -= 1;
    }
  }

  /** Forgets what was labelled before this instant of the wall clock. Gives how many entries that were. */
  prune(beforeMs: number): number {
    if (this.#verifying > 0) return 0;
    return this.#deps.store.prune(beforeMs, this.#deps.clock.moment().wallMs);
  }

  /** Closes all intervals and the file. */
  close(): void {
    this.tick();
    this.#deps.store.close();
  }

  #take(podId: PodId, state: MeterState, close: boolean): Accrual {
    const { clock, readCounters } = this.#deps;
    const counters = state.bridge === undefined ? undefined : readCounters(state.bridge);
    const seen: Observation = { podId, at: clock.moment(), state, counters, close };
    const accrual = accrue(this.#pods.get(podId)?.open, seen);
    this.#entries.push(...accrual.entries);
    this.#changed.set(podId, accrual.open);
    if (accrual.open === undefined) this.#pods.delete(podId);
    else this.#pods.set(podId, { open: accrual.open, state });
    return accrual;
  }

  #commit(): void {
    if (this.#changed.size === 0) return;
    const { store, clock, log } = this.#deps;
    try {
      store.append({ entries: this.#entries, open: this.#changed, atMs: clock.moment().wallMs });
      this.#entries = [];
      this.#changed.clear();
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) log.error("usage cannot be stored and waits in memory", { error });
      this.#isFailing = true;
    }
  }
}

/** Whether a crash now would lose something that the file does not say. */
function isNews(before: Open | undefined, after: Open | undefined): boolean {
  return JSON.stringify(essence(before)) !== JSON.stringify(essence(after));
}

function essence(open: Open | undefined): unknown {
  return open && [open.mode, open.mark, open.terms, open.since, open.unseenMs];
}
