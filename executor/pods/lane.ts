/**
 * One pod's lane: look, plan, apply one step, tell, again, until the pod is as it should be; then sleep until something
 * changes. Lanes share nothing, so a pod that hangs holds up no other. Closing a lane leaves its pod as it is.
 */
import { backoffMs } from "../../common/backoff.ts";
import { type AppError, type ErrorCode, toAppError } from "../../protocol/errors.ts";
import type { PodEvent, PodStatus, Reason, WantedPod } from "../../protocol/pod.ts";
import { containerName } from "../docker/labels.ts";
import { readAuthorizedKeys, readHostKeyLine } from "../ssh/pod-files.ts";
import { SSH_PORT } from "../ssh/pod-kit.ts";
import type { Ledger } from "./ledger.ts";
import { nextStep, type Step } from "./plan.ts";
import type { PortRange } from "./ports.ts";
import { goalOf, nextDeadlineMs, type PodRecord, type SshHealth, withSeenStart } from "./state.ts";
import { eventsBetween, statusOf } from "./status.ts";
import { ACTIONS, type StepDeps, type Turn } from "./steps.ts";

export interface LaneOptions {
  readonly record: PodRecord;
  readonly previousStatus: PodStatus | undefined;
  /** The pod was just accepted: it cannot have a container yet, so the first look is spared. */
  readonly fresh: boolean;
  readonly publicAddress: string;
  readonly ranges: readonly PortRange[];
}

export interface LaneDeps extends StepDeps {
  readonly ledger: Ledger;
  /** In [0, 1): keeps retries of many pods apart. */
  readonly random: () => number;
  /** Another choice of ports for a record whose ports turned out to be in use. */
  readonly otherPorts: (record: PodRecord) => Promise<PodRecord>;
  readonly onStatus: (status: PodStatus, events: readonly PodEvent[]) => void;
}

/** Troubles that pass by themselves; others are final for a pod that never ran. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  "image-pull-failed",
  "image-pull-stalled",
  "engine-error",
  "internal",
]);
const MAX_ATTEMPTS = 3;
const RETRY = { firstDelayMs: 500, maxDelayMs: 15_000 };
const PULL_REPORT_MS = 250;
/** setTimeout cannot wait longer than 2^31 ms. */
const LONGEST_SLEEP_MS = 3_600_000;

export class PodLane {
  readonly #options: LaneOptions;
  readonly #deps: LaneDeps;
  readonly #closing = new AbortController();
  #record: PodRecord;
  #turn: Turn | undefined;
  #ssh: SshHealth | undefined;
  #status: PodStatus | undefined;
  #trouble: Reason | undefined;
  #pull: PodStatus["pull"];
  #pullToldAtMs = 0;
  #attempts = 0;
  #stale = true;
  #step: { readonly name: Step; readonly abort: AbortController } | undefined;
  #wake = Promise.withResolvers<void>();
  #finished: Promise<void> | undefined;
  readonly #firstLook = Promise.withResolvers<void>();

  constructor(options: LaneOptions, deps: LaneDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#record = options.record;
    this.#status = options.previousStatus;
    const { lastStart } = options.record;
    if (lastStart !== undefined && options.previousStatus?.phase === "running") {
      this.#ssh = { startedAtMs: lastStart.startedAtMs, state: "assumed" };
    }
  }

  get record(): PodRecord {
    return this.#record;
  }

  get status(): PodStatus | undefined {
    return this.#status;
  }

  /** Starts the lane; resolves after its first look at the pod, whatever came of it. */
  start(): Promise<void> {
    this.#finished ??= this.#run();
    return this.#firstLook.promise;
  }

  /** A newer wish for this pod. It is durable when this returns; a pull that it makes pointless is cut short. */
  wish(wanted: WantedPod): void {
    if (wanted.revision <= this.#record.wanted.revision) return;
    this.#save({ ...this.#record, wanted: { ...wanted, gpus: this.#record.wanted.gpus } });
    if (this.#record.overAt !== undefined) return this.#tell();
    this.look();
    if (goalOf(this.#record, this.#deps.clock.now()) !== "running") this.#interrupt("pull");
  }

  /** Something happened to the container: look again now, also in the middle of a probe. */
  look(): void {
    this.refresh();
    this.#interrupt("probe");
  }

  /** Look again when there is time: a step that is under way is not disturbed. */
  refresh(): void {
    this.#stale = true;
    this.#wake.resolve();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#wake.resolve();
    await this.#finished;
  }

  /** Only for steps that wait and cost nothing to do again; a pull costs what it has downloaded. */
  #interrupt(step: "pull" | "probe"): void {
    if (this.#step?.name === step) this.#step.abort.abort();
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      this.#wake = Promise.withResolvers();
      const retryMs = await this.#settle();
      if (this.#record.overAt !== undefined) return;
      await this.#sleep(retryMs);
    }
  }

  /** Steps until there is none left. Resolves with the time after which to try again, or undefined. */
  async #settle(): Promise<number | undefined> {
    try {
      for (;;) {
        if (this.#stale || this.#turn === undefined) await this.#see();
        this.#tell();
        this.#firstLook.resolve();
        const turn = this.#turn;
        const step = turn && nextStep({ ...turn, record: this.#record, nowMs: this.#deps.clock.now() });
        if (turn === undefined || step === undefined || this.#closing.signal.aborted) break;
        await this.#apply(step, turn);
      }
      this.#attempts = 0;
      return undefined;
    } catch (error) {
      this.#firstLook.resolve();
      if (this.#closing.signal.aborted) return undefined;
      return this.#fail(toAppError(error));
    }
  }

  async #see(): Promise<void> {
    this.#stale = false;
    const { runtime, dirsOf } = this.#deps;
    const { podId, spec } = this.#record.wanted;
    const fresh = this.#options.fresh && this.#turn === undefined && this.#attempts === 0;
    const { podDir } = dirsOf(this.#record);
    const [container, keys, hostKey] = await Promise.all([
      fresh ? undefined : runtime.inspect(containerName(podId), this.#closing.signal),
      readAuthorizedKeys(podDir),
      readHostKeyLine(podDir),
    ]);
    const needsImage = container === undefined && goalOf(this.#record, this.#deps.clock.now()) === "running";
    const image = needsImage ? await runtime.image(spec.image, this.#closing.signal) : undefined;
    this.#save(withSeenStart(this.#record, container));
    this.#turn = { record: this.#record, seen: { container, image, keys, hostKey }, ssh: this.#ssh };
  }

  async #apply(step: Step, turn: Turn): Promise<void> {
    const abort = new AbortController();
    this.#step = { name: step, abort };
    const signal = AbortSignal.any([abort.signal, this.#closing.signal]);
    try {
      const asked = this.#record;
      const next = await ACTIONS[step]({ ...turn, record: asked }, { deps: this.#deps, signal, onPull: this.#onPull });
      // A wish may have come in meanwhile: keep it, and take over what the step found out.
      if (next.record !== asked) this.#save({ ...next.record, wanted: this.#record.wanted });
      this.#turn = { ...next, record: this.#record };
      this.#ssh = next.ssh;
      this.#trouble = next.ssh?.state === "lost" ? SSH_LOST : undefined;
    } catch (error) {
      if (abort.signal.aborted && !this.#closing.signal.aborted) return;
      this.#stale = true;
      await this.#recover(error);
    } finally {
      this.#step = undefined;
      this.#pull = undefined;
    }
  }

  /** What a failed step calls for at once; anything else is thrown on. */
  async #recover(error: unknown): Promise<void> {
    const { code } = toAppError(error);
    if (code === "name-taken") {
      this.#turn = undefined;
      this.#attempts += 1;
      if (this.#attempts <= MAX_ATTEMPTS) return;
    }
    if (code === "port-busy" && this.#record.lastStart === undefined) {
      this.#save(await this.#deps.otherPorts(this.#record));
      await this.#deps.runtime.remove(containerName(this.#record.wanted.podId), this.#closing.signal);
      return;
    }
    throw error;
  }

  /** Notes the trouble, gives a pod up that never ran and never will, and says when to try again. */
  #fail(error: AppError): number {
    const { clock, log } = this.#deps;
    this.#attempts += 1;
    this.#stale = true;
    const reason = { code: error.code, message: error.message, details: { ...error.details } };
    const blind = error.code === "engine-unavailable";
    const unstarted = this.#record.timeline.started === undefined && goalOf(this.#record, clock.now()) === "running";
    if (!blind && unstarted && (!PASSING.has(error.code) || this.#attempts >= MAX_ATTEMPTS)) {
      log.warn("a pod could not be started", { podId: this.#record.wanted.podId, reason });
      this.#save({ ...this.#record, failure: reason });
      this.#attempts = 0;
      this.#tell();
      return 0;
    }
    log.warn("a pod's step failed and will be tried again", { podId: this.#record.wanted.podId, reason });
    this.#trouble = reason;
    if (blind) this.#turn = undefined;
    this.#tell();
    return backoffMs(this.#attempts, RETRY, this.#deps.random);
  }

  async #sleep(retryMs: number | undefined): Promise<void> {
    const { clock } = this.#deps;
    const deadlineMs = nextDeadlineMs(this.#record, clock.now());
    const untilDeadline = deadlineMs === undefined ? LONGEST_SLEEP_MS : Math.max(0, deadlineMs - clock.now());
    const ms = Math.min(retryMs ?? LONGEST_SLEEP_MS, untilDeadline, LONGEST_SLEEP_MS);
    const timer = new AbortController();
    const signal = AbortSignal.any([timer.signal, this.#closing.signal]);
    await Promise.race([this.#wake.promise, clock.sleep(ms, signal).catch(() => undefined)]);
    timer.abort();
  }

  readonly #onPull = (progress: NonNullable<PodStatus["pull"]>): void => {
    this.#pull = progress;
    const now = this.#deps.clock.monotonic();
    if (now - this.#pullToldAtMs < PULL_REPORT_MS) return;
    this.#pullToldAtMs = now;
    this.#tell();
  };

  #save(record: PodRecord): void {
    if (record === this.#record) return;
    this.#deps.ledger.saveRecord(record);
    this.#record = record;
  }

  /** Stores and tells the status if it differs from the one told last. */
  #tell(): void {
    const { clock, ledger, onStatus } = this.#deps;
    const nowMs = clock.now();
    const status = statusOf({
      record: this.#record,
      seen: this.#turn?.seen,
      ssh: this.#ssh,
      nowMs,
      previous: this.#status,
      trouble: this.#trouble,
      pull: this.#pull,
      publicAddress: this.#options.publicAddress,
      ranges: this.#options.ranges,
      sshPort: SSH_PORT,
    });
    if (JSON.stringify(status) === JSON.stringify(this.#status)) return;
    const events = ledger.saveStatus(status, eventsBetween(this.#status, status, nowMs));
    this.#status = status;
    onStatus(status, events);
  }
}

const SSH_LOST: Reason = { code: "ssh-not-ready", message: "The pod runs, but its SSH server does not answer." };
