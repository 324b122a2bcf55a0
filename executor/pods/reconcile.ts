/**
 * All pods of this host: takes wishes in, gives each pod its lane, listens to the engine, tells what is.
 *
 * A pod leaves only by its own wish or lease. What the ledger lost is rebuilt from labels; what cannot be read is left
 * alone and blocks what it may hold. Closing stops the lanes and no pod.
 */
import { once, setMaxListeners } from "node:events";

import type { KeyedLock } from "../../common/keyed-lock.ts";
import { startTicker } from "../../common/ticker.ts";
import { whileTheyCome } from "../../common/while-they-come.ts";
import { AppError } from "../../protocol/errors.ts";
import type { Gpu } from "../../protocol/gpu.ts";
import type { HostResources } from "../../protocol/host.ts";
import type { PodId } from "../../protocol/ids.ts";
import type { LogLine, LogQuery, PodEvent, PodStatus, Reason, WantedPod } from "../../protocol/pod.ts";
import { containerName, POD_LABEL, podIdOfName } from "../docker/labels.ts";
import type { Passthrough } from "../gpus/passthrough/passthrough.ts";
import type { EngineWatch } from "../health/engine-watch.ts";
import { ADMISSION, refusalOf } from "./admission.ts";
import { type Claims, claimsOf } from "./claims.ts";
import { Holders } from "./holders.ts";
import { type KnownPods, knownPods } from "./known.ts";
import type { LaneDeps } from "./lane-deps.ts";
import { PodLane } from "./lane.ts";
import type { LedgerEntry } from "./ledger.ts";
import { Places, type PlacesDeps, type PlacesOptions } from "./places.ts";
import type { Pace } from "./plan.ts";
import { sortContainers } from "./sort-containers.ts";
import type { PodRecord } from "./state.ts";

export interface PodsOptions extends PlacesOptions {
  readonly publicAddress: string;
  readonly resyncMs: number;
  readonly pace: Pace;
}

export interface PodsDeps
  extends Omit<LaneDeps, "otherPlace" | "onStatus" | "hostWentDownAround">, Omit<PlacesDeps, "records" | "isolation"> {
  readonly engine: EngineWatch;
  readonly admissions: KeyedLock;
  readonly gpus: () => readonly Gpu[];
  readonly passthrough: Pick<Passthrough, "give" | "hold" | "blocked" | "hasReal">;
  readonly rentable: () => HostResources;
  /** What a pod's volume would take of the disk on top. */
  readonly volumeBytes: (wanted: WantedPod) => number;
  /** Whether several pods may be here at once. */
  readonly shared: () => boolean;
  /** Why no new pod can be taken now, whatever it asks for. */
  readonly pressure: () => Reason | undefined;
  /** Changes with every boot of the machine. */
  readonly bootId: string;
}

/** What one pod is like now, and the wish behind it. */
export interface PodReport {
  readonly status: PodStatus;
  readonly wanted: WantedPod;
}

export type StatusListener = (report: PodReport, events: readonly PodEvent[]) => void;

/** What the engine may tell about a container that calls for a new look; our own creating and starting does not. */
const TELLING = new Set(["die", "oom", "stop", "destroy", "pause", "unpause"]);
const ENGINE_RETRY_MS = 1_000;
const KEEP_OVER_MS = 24 * 3_600_000;
const BOOT_ID = "boot-id";

export class Pods {
  readonly #options: PodsOptions;
  readonly #deps: PodsDeps;
  readonly #lanes = new Map<PodId, PodLane>();
  readonly #listeners = new Set<StatusListener>();
  readonly #closing = new AbortController();
  readonly #listed = Promise.withResolvers<void>();
  readonly #loops: Promise<void>[] = [];
  readonly #places: Places;
  readonly #holders: Holders;
  #hasListed = false;
  #damaged: ReadonlySet<string> = new Set();
  #unreadable: readonly string[] = [];
  /** Pods of other executors on the same engine: not ours to touch, but what they hold is not free. */
  #others: readonly PodRecord[] = [];

  constructor(options: PodsOptions, deps: PodsDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#places = new Places(options, { ...deps, records: () => this.#records() });
    this.#holders = new Holders(deps.runtime);
    setMaxListeners(0, this.#closing.signal);
  }

  /** Adopts every pod of the ledger and of the engine; resolves when each was looked at, or after a while without those that hang. */
  async start(): Promise<void> {
    const { ledger, log, bootId } = this.#deps;
    const { entries, damaged } = ledger.readAll();
    for (const podId of damaged) ledger.setAside(podId);
    this.#damaged = new Set(damaged);
    if (damaged.length > 0) log.error("records in the ledger could not be read and were set aside", { damaged });
    const rebooted = ledger.getMeta(BOOT_ID) !== undefined && ledger.getMeta(BOOT_ID) !== bootId;
    const looks = entries.map((entry) => this.#addLane(rebooted ? afterReboot(entry) : entry, false).start());
    ledger.setMeta(BOOT_ID, bootId);
    looks.push(this.#tryRebuild());
    this.#deps.engine.onChange(() => this.#onEngine());
    this.#loops.push(this.#listen(), this.#startResync());
    await whileTheyCome(looks, this.#deps.clock, this.#closing.signal);
  }

  onStatus(listener: StatusListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  reports(): PodReport[] {
    return [...this.#lanes.values()].flatMap((lane) =>
      lane.status === undefined ? [] : [{ status: lane.status, wanted: lane.record.wanted }],
    );
  }

  /** What is known of pods; undefined until the ledger and the engine's containers have been read. */
  known(): KnownPods | undefined {
    return this.#hasListed ? knownPods(this.#records(), this.#damaged) : undefined;
  }

  /** Containers with our label that no record can be made of. They block every GPU that they may hold. */
  get unreadable(): readonly string[] {
    return this.#unreadable;
  }

  /** Takes a wish. It is durable when this resolves; an older one than known is ignored. */
  async want(wanted: WantedPod): Promise<void> {
    const lane = this.#lanes.get(wanted.podId);
    if (lane !== undefined) return lane.wish(wanted);
    // What a lost ledger no longer says is known only once the engine has listed its containers.
    await Promise.race([this.#listed.promise, once(this.#closing.signal, "abort")]);
    await this.#deps.admissions.run(ADMISSION, () => this.#admit(wanted), this.#closing.signal);
  }

  logs(podId: PodId, query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine> {
    if (!this.#lanes.has(podId)) throw new AppError("pod-not-found");
    return this.#deps.runtime.logs(containerName(podId), query, signal);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#loops, ...[...this.#lanes.values()].map((lane) => lane.close())]);
  }

  async #admit(wanted: WantedPod): Promise<void> {
    const known = this.#lanes.get(wanted.podId);
    if (known !== undefined) return known.wish(wanted);
    const blank: PodRecord = { wanted, acceptedAtMs: this.#deps.clock.now(), ports: [], timeline: {} };
    const failure =
      wanted.goal === "ended"
        ? undefined
        : refusalOf({
            wanted,
            claims: this.#claims(),
            gpus: this.#deps.gpus(),
            blocked: this.#deps.passthrough.blocked,
            rentable: this.#deps.rentable(),
            sealingKey: this.#deps.sealingKey.publicKey,
            volumeBytes: this.#deps.volumeBytes(wanted),
            pressure: this.#deps.pressure(),
            inTheWay: this.#deps.shared() ? [] : this.#livePods(),
          });
    const record = failure === undefined ? await this.#places.place(blank) : { ...blank, failure };
    this.#deps.ledger.saveRecord(record);
    void this.#addLane({ record, status: undefined }, wanted.goal !== "ended").start();
    void this.#keepSpares();
  }

  /** Networks are made ahead, so that no start waits for one. */
  async #keepSpares(): Promise<void> {
    try {
      await this.#places.keepSpares(this.#closing.signal);
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#deps.log.warn("networks cannot be made ahead", { error });
    }
  }

  #livePods(): PodId[] {
    return [...this.#lanes].flatMap(([podId, { record }]) => (record.overAt === undefined ? podId : []));
  }

  /** Another executor's pods hold GPUs and ports of this machine; how much of the rest is ours, its configuration says. */
  #claims(): Claims {
    const { used } = claimsOf([...this.#lanes.values()].map((lane) => lane.record));
    return { ...claimsOf(this.#records()), used };
  }

  /** Of everybody who holds something on this host. */
  #records(): PodRecord[] {
    return [...[...this.#lanes.values()].map((lane) => lane.record), ...this.#others];
  }

  #addLane(entry: LedgerEntry, fresh: boolean): PodLane {
    const { record } = entry;
    const lane: PodLane = new PodLane(
      { record, previousStatus: entry.status, fresh, ...this.#options },
      {
        ...this.#deps,
        hostWentDownAround: (atMs) => this.#deps.engine.wentDownAround(atMs),
        otherPlace: (current, taken) =>
          this.#deps.admissions.run(ADMISSION, () => this.#places.other(current, taken), this.#closing.signal),
        onStatus: (status, events) => {
          for (const listener of this.#listeners) listener({ status, wanted: lane.record.wanted }, events);
        },
      },
    );
    this.#lanes.set(record.wanted.podId, lane);
    return lane;
  }

  /** Makes records of labelled containers that the ledger does not know; what belongs to others is only counted. */
  async #rebuild(): Promise<void> {
    const { runtime, ledger, log, host, passthrough } = this.#deps;
    const { hasReal } = passthrough;
    const containers = await runtime.list(hasReal ? undefined : POD_LABEL, this.#closing.signal);
    const sorted = sortContainers(containers, { host, isKnown: (podId) => this.#lanes.has(podId) });
    for (const record of sorted.lost) {
      log.warn("a pod was rebuilt from its container's labels", { podId: record.wanted.podId });
      ledger.saveRecord(record);
      void this.#addLane({ record, status: undefined }, false).start();
    }
    const unreadable = sorted.unreadable.map(({ name }) => name);
    if (unreadable.length > 0) log.error("containers carry our label and cannot be read", { unreadable });
    this.#unreadable = unreadable;
    this.#others = sorted.others;
    passthrough.hold(await this.#holders.look(sorted, hasReal, this.#closing.signal), hasReal);
    this.#hasListed = true;
    this.#listed.resolve();
  }

  async #listen(): Promise<void> {
    const { runtime, clock, log } = this.#deps;
    while (!this.#closing.signal.aborted) {
      try {
        for await (const event of runtime.events(POD_LABEL, this.#closing.signal)) {
          const podId = TELLING.has(event.action) ? podIdOfName(event.containerName) : undefined;
          if (podId !== undefined) this.#lanes.get(podId)?.look();
        }
      } catch (error) {
        log.warn("the engine's events are lost for now", { error });
      }
      if (!this.#closing.signal.aborted) await this.#deps.engine.ask();
      // What happened while nobody listened is seen by looking.
      await clock.sleep(ENGINE_RETRY_MS, this.#closing.signal).catch(() => undefined);
      this.#lookAtAll();
    }
  }

  #onEngine(): void {
    this.#lookAtAll();
    if (this.#deps.engine.answering) void this.#tryRebuild();
  }

  async #tryRebuild(): Promise<void> {
    try {
      await this.#rebuild();
    } catch (error) {
      this.#deps.log.warn("the engine's containers cannot be listed", { error });
    }
  }

  #lookAtAll(): void {
    for (const lane of this.#lanes.values()) lane.look();
  }

  #startResync(): Promise<void> {
    const { clock, log } = this.#deps;
    const onError = (error: unknown): void => log.warn("the engine's containers cannot be listed", { error });
    const options = { clock, everyMs: this.#options.resyncMs, run: () => this.#resync(), onError };
    return startTicker(options, this.#closing.signal).done;
  }

  /** What no event told is seen by looking now and then; records that have been over for long are forgotten. */
  async #resync(): Promise<void> {
    const { clock, ledger } = this.#deps;
    for (const [podId, lane] of this.#lanes) {
      const { overAt } = lane.record;
      if (overAt === undefined) lane.refresh();
      else if (clock.now() - Date.parse(overAt) > KEEP_OVER_MS) {
        this.#lanes.delete(podId);
        ledger.forget(podId);
      }
    }
    await this.#rebuild();
    await this.#keepSpares();
  }
}

/** A pod that ran when the machine went down is to run again; one that had ended by itself or was stopped is not. */
function afterReboot({ record, status }: LedgerEntry): LedgerEntry {
  const stayedDown = status?.phase === "exited" || status?.phase === "stopped";
  if (record.lastStart === undefined || stayedDown) return { record, status };
  return { record: { ...record, lastStart: { ...record.lastStart, run: 0 } }, status };
}
