/**
 * One pod's lane: look, plan, apply one step, tell, again, until the pod is as it should be; then sleep until something
 * changes. Lanes share nothing, so a pod that hangs holds up no other. Closing a lane leaves its pod as it is.
 */
import { Alarm } from "../../common/alarm.ts";
import { backoffMs } from "../../common/backoff.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import type { PodStatus, Reason, WantedPod } from "../../protocol/pod.ts";
import { containerName } from "../docker/labels.ts";
import { meterStateOf } from "../metering/of-pod.ts";
import { SSH_PORT } from "../ssh/pod-kit.ts";
import type { LaneDeps, LaneOptions } from "./lane-deps.ts";
import { lookAt } from "./look.ts";
import { nextStep, nextStepInMs, type PlanInput, type Step } from "./plan.ts";
import { goalOf, nextDeadlineMs, type PodRecord, sshBefore, type SshHealth, withSeenStart } from "./state.ts";
import { eventsBetween, statusOf } from "./status.ts";
import type { Turn } from "./step-deps.ts";
import { ACTIONS } from "./steps.ts";
import { isHopeless, MAX_ATTEMPTS, RETRY } from "./trouble.ts";

/** Steps after which the next look at SSH is counted anew. */
const PROBES: ReadonlySet<Step> = new Set(["probe", "check", "heal", "see-gpus"]);
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
  /** On the clock that never jumps; SSH has not been tried and no exit was noted before the lane began. */
  #probedAtMs: number;
  #exitNotedAtMs: number;
  #attempts = 0;
  #stale = true;
  #step: { readonly name: Step; readonly abort: AbortController } | undefined;
  readonly #alarm: Alarm;
  #finished: Promise<void> | undefined;
  readonly #firstLook = Promise.withResolvers<void>();

  constructor(options: LaneOptions, deps: LaneDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#record = options.record;
    this.#status = options.previousStatus;
    this.#alarm = new Alarm(deps.clock);
    this.#probedAtMs = deps.clock.monotonic();
    this.#exitNotedAtMs = this.#probedAtMs;
    this.#ssh = sshBefore(options.record, options.previousStatus);
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
    const { rebuilt, ...record } = this.#record;
    const known = record.wanted.revision;
    if (wanted.revision < known || (wanted.revision === known && rebuilt !== true)) return;
    this.#save({ ...record, wanted: { ...wanted, gpus: record.wanted.gpus } });
    if (this.#record.overAt !== undefined) return this.#tell();
    this.look();
    this.#giveUpPull();
    if (wanted.goal === "ended") this.#interrupt("start", "heal", "see-gpus", "examine");
  }

  /** Something happened to the container: look again now, also in the middle of a probe. */
  look(): void {
    this.refresh();
    this.#interrupt("probe", "check");
  }

  /** Look again when there is time: a step that is under way is not disturbed. */
  refresh(): void {
    this.#stale = true;
    this.#alarm.ring();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#alarm.ring();
    await this.#finished;
  }

  /** Only for steps that wait and cost nothing to do again; a pull costs what it has downloaded. */
  #interrupt(...steps: readonly Step[]): void {
    if (this.#step !== undefined && steps.includes(this.#step.name)) this.#step.abort.abort();
  }

  #giveUpPull(): void {
    if (goalOf(this.#record, this.#deps.clock.now()) !== "running") this.#interrupt("pull");
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      this.#alarm.arm();
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
        const step = turn && nextStep(this.#planInput(turn));
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

  #planInput(turn: Turn): PlanInput {
    const { clock } = this.#deps;
    const now = clock.monotonic();
    return {
      ...turn,
      record: this.#record,
      nowMs: clock.now(),
      sinceProbeMs: now - this.#probedAtMs,
      sinceExitMs: now - this.#exitNotedAtMs,
      pace: this.#options.pace,
    };
  }

  async #see(): Promise<void> {
    if (!this.#deps.engine.answering) throw new AppError("engine-unavailable");
    this.#stale = false;
    const fresh = this.#options.fresh && this.#turn === undefined && this.#attempts === 0;
    const seen = await lookAt(this.#record, fresh, { ...this.#deps, signal: this.#closing.signal });
    this.#save(withSeenStart(this.#record, seen.container));
    this.#turn = { record: this.#record, seen, ssh: this.#ssh };
  }

  async #apply(step: Step, turn: Turn): Promise<void> {
    const abort = new AbortController();
    this.#step = { name: step, abort };
    const signal = AbortSignal.any([abort.signal, this.#closing.signal]);
    if (step === "pull") this.#giveUpPullAtDeadline(signal);
    try {
      const asked = this.#record;
      const next = await ACTIONS[step]({ ...turn, record: asked }, { deps: this.#deps, signal, onPull: this.#onPull });
      // A wish may have come in meanwhile: keep it, and take over what the step found out.
      if (next.record !== asked) this.#save({ ...next.record, wanted: this.#record.wanted });
      this.#turn = { ...next, record: this.#record };
      this.#ssh = next.ssh;
      this.#trouble = undefined;
    } catch (error) {
      if (abort.signal.aborted && !this.#closing.signal.aborted) return;
      this.#stale = true;
      await this.#recover(error);
    } finally {
      abort.abort();
      this.#step = undefined;
      this.#pull = undefined;
      if (PROBES.has(step)) this.#probedAtMs = this.#deps.clock.monotonic();
      if (step === "examine") this.#exitNotedAtMs = this.#deps.clock.monotonic();
    }
  }

  /** A lease may end while its image is still coming. */
  #giveUpPullAtDeadline(signal: AbortSignal): void {
    const { clock } = this.#deps;
    const deadlineMs = nextDeadlineMs(this.#record, clock.now());
    if (deadlineMs === undefined) return;
    const giveUp = async (): Promise<void> =>
      clock.sleep(deadlineMs - clock.now(), signal).then(() => this.#giveUpPull());
    giveUp().catch(() => undefined);
  }

  /** What a failed step calls for at once; anything else is thrown on. */
  async #recover(error: unknown): Promise<void> {
    const { code } = toAppError(error);
    if (code === "name-taken") {
      this.#turn = undefined;
      this.#attempts += 1;
      if (this.#attempts <= MAX_ATTEMPTS) return;
    }
    const hasRun = this.#record.lastStart !== undefined;
    if (code === "network-taken" || (code === "port-busy" && !hasRun)) {
      this.#save(await this.#deps.otherPlace(this.#record, code));
      // A container that never ran is made anew; one that ran holds the renter's files and is moved.
      if (!hasRun) await this.#deps.runtime.remove(containerName(this.#record.wanted.podId), this.#closing.signal);
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
    if (isHopeless(error, this.#attempts, { record: this.#record, nowMs: clock.now() })) {
      log.warn("a pod could not be started", { podId: this.#record.wanted.podId, reason });
      this.#save({ ...this.#record, failure: reason });
      this.#attempts = 0;
      this.#tell();
      return 0;
    }
    log.warn("a pod's step failed and will be tried again", { podId: this.#record.wanted.podId, reason });
    this.#trouble = reason;
    if (error.code === "engine-unavailable") this.#turn = undefined;
    this.#tell();
    return backoffMs(this.#attempts, RETRY, this.#deps.random);
  }

  async #sleep(retryMs: number | undefined): Promise<void> {
    const dueMs = this.#turn && nextStepInMs(this.#planInput(this.#turn));
    const ms = Math.min(retryMs ?? LONGEST_SLEEP_MS, dueMs ?? LONGEST_SLEEP_MS, LONGEST_SLEEP_MS);
    await this.#alarm.wait(ms, this.#closing.signal);
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
    const { clock, ledger, meter, onStatus } = this.#deps;
    const nowMs = clock.now();
    const status = statusOf({
      record: this.#record,
      seen: this.#turn?.seen,
      ssh: this.#ssh,
      sick: this.#deps.sicknessOf(this.#record.wanted.gpus),
      nowMs,
      previous: this.#status,
      trouble: this.#trouble,
      pull: this.#pull,
      publicAddress: this.#options.publicAddress,
      ranges: this.#options.ranges,
      sshPort: SSH_PORT,
      restart: this.#options.pace.restart,
    });
    meter.observe(status.podId, meterStateOf({ record: this.#record, seen: this.#turn?.seen, ssh: this.#ssh, status }));
    if (JSON.stringify(status) === JSON.stringify(this.#status)) return;
    const events = ledger.saveStatus(status, eventsBetween(this.#status, status, nowMs));
    this.#status = status;
    onStatus(status, events);
  }
}
