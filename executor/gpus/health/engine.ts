/**
 * Watches over the GPUs' health: takes in what the kernel, the driver and the readings say, keeps sick GPUs from being rented,
 * and makes them fit again. Decisions are made by the pure parts beside it; one thing is done at a time.
 */
import { Alarm } from "../../../common/alarm.ts";
import type { Clock } from "../../../common/clock.ts";
import type { Logger } from "../../../common/logger.ts";
import type { Accelerator, Accelerators } from "../../../protocol/accelerator.ts";
import { AppError, toAppError } from "../../../protocol/errors.ts";
import type { GpuRemedy } from "../../../protocol/gpu-incident.ts";
import type { GpuUuid } from "../../../protocol/ids.ts";
import { judgementOf, unitsOf, withFinding, withReadings } from "./assess.ts";
import { countersBetween } from "./counters.ts";
import { afterBoot, afterFailure, afterReset, afterTest } from "./fences.ts";
import type { Finding } from "./finding.ts";
import type { Judgement } from "./judge.ts";
import { planRemedy, type RemedyPlan } from "./plan.ts";
import type { Remedies } from "./remedies.ts";
import { type HealthState, NO_HISTORY, recallHealth, writeHealth } from "./store.ts";
import type { HealthReport, PodsForHealth, Sickness } from "./words.ts";

export interface HealthOptions {
  readonly stateFile: string;
  readonly bootId: string;
  readonly allowReboot: boolean;
}

export interface HealthDeps {
  /** What was found, without what we said of it. */
  readonly found: () => Accelerators;
  readonly judge: (judgement: Judgement) => void;
  readonly look: () => Promise<unknown>;
  readonly remedies: Remedies;
  readonly pods: () => PodsForHealth | undefined;
  /** Held by containers that are no pods of ours. */
  readonly blocked: () => Iterable<GpuUuid>;
  /** Runs `work` while none of these can be given to a pod; undefined, and nothing was run, where one may be held. */
  readonly alone: <T>(units: readonly GpuUuid[], work: () => Promise<T>) => Promise<T | undefined>;
  readonly clock: Clock;
  readonly log: Logger;
}

const EVERY_MS = 5_000;
const COUNTERS_EVERY_MS = 60_000;
const MOST_REMEDIES = 200;
/** Findings that wait until it is known which pods there are. */
const MOST_WAITING = 5_000;

export class GpuHealth {
  readonly #options: HealthOptions;
  readonly #deps: HealthDeps;
  readonly #stop = new AbortController();
  readonly #alarm: Alarm;
  #state: HealthState = NO_HISTORY;
  #waiting: Finding[] = [];
  #baseline = new Map<GpuUuid, { readonly gpu: Accelerator; readonly atMs: number }>();
  #plan: RemedyPlan = { do: "wait", why: new Map() };
  #forbidden: string | undefined;
  #isGoingDown = false;
  #saved = "";
  #loop: Promise<void> | undefined;

  constructor(options: HealthOptions, deps: HealthDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#alarm = new Alarm(deps.clock);
  }

  /** Resolves when what was known before is in force again. */
  async start(): Promise<void> {
    const state = await recallHealth(this.#options.stateFile, this.#deps.log);
    this.#state = { ...state, fences: afterBoot(state.fences, this.#options.bootId) };
    this.#judge();
    this.#loop = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#alarm.ring();
    await this.#loop;
  }

  /** Takes a finding in; never throws. */
  hear(finding: Finding): void {
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push(finding);
    this.#alarm.ring();
  }

  /** Something about the devices changed: look at once. */
  wake(): void {
    this.#alarm.ring();
  }

  /** The agent's word: why nothing but tests may be done, or undefined. */
  forbid(why: string | undefined): void {
    if (why !== this.#forbidden) this.#deps.log.warn("remedies for GPUs", { forbidden: why ?? "no more" });
    this.#forbidden = why;
    this.#alarm.ring();
  }

  /** What keeps a pod from using one of its GPUs. */
  sicknessOf(units: readonly GpuUuid[]): Sickness | undefined {
    const { gpus } = this.#deps.found();
    const devices = new Set(
      gpus.filter((gpu) => unitsOf(gpu).some((unit) => units.includes(unit))).map(({ uuid }) => uuid),
    );
    const [worst] = this.#state.fences.filter(
      ({ gpu, breaks, cure }) => breaks && cure !== "validate" && devices.has(gpu),
    );
    return worst && { message: `${worst.gpu}: ${worst.message}`.slice(0, 400), sinceMs: Date.parse(worst.since) };
  }

  report(): HealthReport {
    const { incidents, fences, remedies } = this.#state;
    const why = this.#plan.do === "wait" ? this.#plan.why : new Map<GpuUuid, string>();
    const forbidden = this.#forbidden;
    return {
      incidents,
      fences: fences.map((fence) => {
        const waiting = why.get(fence.gpu);
        return waiting === undefined ? fence : { ...fence, waiting };
      }),
      remedies,
      ...(forbidden === undefined ? {} : { forbidden }),
    };
  }

  /**
   * An operator's word that a GPU is fit: all its fences go, and the word is kept. What its readings still say puts the fences
   * up again. Throws `gpu-not-fenced`.
   */
  async clear(gpu: GpuUuid, reason: string): Promise<GpuRemedy> {
    const fences = this.#state.fences.filter((one) => one.gpu === gpu);
    if (fences.length === 0) throw new AppError("gpu-not-fenced", { details: { gpu } });
    const codes = fences.map(({ code }) => code).join(", ");
    const message = `${codes}: ${reason}`.slice(0, 400);
    this.#deps.log.warn("an operator cleared a GPU", { gpu, codes, reason });
    this.#state = { ...this.#state, fences: this.#state.fences.filter((one) => one.gpu !== gpu) };
    const remedy = this.#note({ action: "clear", gpus: [gpu], by: "operator", outcome: "done", message });
    this.#judge();
    await this.#save();
    this.#alarm.ring();
    return remedy;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#alarm.arm();
      try {
        this.#takeIn();
        this.#judge();
        await this.#save();
        await this.#remedy(signal);
        await this.#save();
      } catch (error) {
        if (!signal.aborted) log.error("looking after the GPUs' health failed", { error });
        await clock.sleep(EVERY_MS, signal).catch(() => undefined);
      }
      await this.#alarm.wait(EVERY_MS, signal);
    }
  }

  /** Readings, counters, and what was heard. */
  #takeIn(): void {
    const { clock, log } = this.#deps;
    const found = this.#deps.found();
    const when = { nowMs: clock.now(), bootId: this.#options.bootId };
    this.#state = withReadings(this.#state, found, when);
    for (const finding of this.#counters(found, when.nowMs)) this.hear(finding);
    const pods = this.#deps.pods();
    if (pods === undefined) return;
    for (const finding of this.#waiting.splice(0)) {
      const { holderAt } = pods;
      const { state, begun } = withFinding(this.#state, finding, { ...when, found, holderAt });
      for (const incident of begun) log.warn("a GPU met an error", { incident });
      this.#state = state;
    }
  }

  #counters({ gpus }: Accelerators, nowMs: number): Finding[] {
    return gpus.flatMap((gpu) => {
      const base = this.#baseline.get(gpu.uuid);
      const atMs = this.#deps.clock.monotonic();
      if (base !== undefined && atMs - base.atMs < COUNTERS_EVERY_MS) return [];
      this.#baseline.set(gpu.uuid, { gpu, atMs });
      return base === undefined ? [] : countersBetween(base.gpu, gpu, { at: nowMs, spanMs: atMs - base.atMs });
    });
  }

  #judge(): void {
    this.#deps.judge(judgementOf(this.#state, this.#deps.found(), this.#deps.clock.now()));
  }

  async #remedy(signal: AbortSignal): Promise<void> {
    const { clock, found, pods, blocked } = this.#deps;
    if (this.#state.fences.length === 0 || this.#isGoingDown) return;
    const known = pods();
    this.#plan = planRemedy({
      fences: this.#state.fences,
      found: found(),
      held: known?.holders && new Set([...known.holders.keys(), ...blocked()]),
      pods: known?.live ?? 0,
      remedies: this.#state.remedies,
      nowMs: clock.now(),
      allowReboot: this.#options.allowReboot,
      forbidden: this.#forbidden,
    });
    if (this.#plan.do === "reboot") await this.#reboot(this.#plan.gpus, signal);
    else if (this.#plan.do !== "wait") await this.#treat(this.#plan.do, this.#plan.gpu, signal);
  }

  /** While a GPU is treated no pod can get it. */
  async #treat(action: "validate" | "reset", uuid: GpuUuid, signal: AbortSignal): Promise<void> {
    const gpu = this.#deps.found().gpus.find((one) => one.uuid === uuid);
    if (gpu === undefined) return;
    const work = action === "validate" ? () => this.#validate(gpu, signal) : () => this.#reset(gpu, signal);
    await this.#deps.alone(unitsOf(gpu), work);
    this.#judge();
    this.#alarm.ring();
  }

  async #validate(gpu: Accelerator, signal: AbortSignal): Promise<void> {
    const { result, message } = await this.#deps.remedies.validate(gpu, signal);
    const outcome = result === "passed" ? "done" : result;
    this.#conclude({ action: "validate", outcome, message }, gpu);
    // Without a test the readings have to do: they would have put the fence up again.
    if (result !== "failed") this.#state = { ...this.#state, fences: afterTest(this.#state.fences, gpu.uuid) };
  }

  async #reset(gpu: Accelerator, signal: AbortSignal): Promise<void> {
    try {
      await this.#deps.remedies.reset(gpu, signal);
    } catch (error) {
      signal.throwIfAborted();
      const { message } = toAppError(error);
      return this.#conclude({ action: "reset", outcome: "failed", message }, gpu);
    }
    this.#conclude({ action: "reset", outcome: "done", message: "It was reset." }, gpu);
    this.#state = { ...this.#state, fences: afterReset(this.#state.fences, gpu.uuid) };
    this.#baseline.delete(gpu.uuid);
    await this.#deps.look();
  }

  async #reboot(gpus: readonly GpuUuid[], signal: AbortSignal): Promise<void> {
    this.#note({ action: "reboot", gpus: [...gpus], by: "rule", outcome: "begun", message: "The machine boots." });
    // What was begun has to be known after the boot.
    await this.#save();
    this.#isGoingDown = true;
    try {
      await this.#deps.remedies.reboot(signal);
    } catch (error) {
      this.#isGoingDown = false;
      const begun = this.#state.remedies.at(-1);
      const message = toAppError(error).message.slice(0, 400);
      const remedies = this.#state.remedies.slice(0, -1);
      if (begun !== undefined) remedies.push({ ...begun, outcome: "failed", message });
      this.#state = { ...this.#state, remedies };
    }
  }

  #conclude(done: Pick<GpuRemedy, "action" | "outcome" | "message">, { uuid }: Accelerator): void {
    if (done.outcome === "failed") {
      this.#state = { ...this.#state, fences: afterFailure(this.#state.fences, uuid, done.message) };
    }
    this.#deps.log.info("a GPU was treated", { gpu: uuid, ...done });
    this.#note({ ...done, message: done.message.slice(0, 400), gpus: [uuid], by: "rule" });
  }

  #note(remedy: Omit<GpuRemedy, "at">): GpuRemedy {
    const dated = { at: new Date(this.#deps.clock.now()).toISOString(), ...remedy };
    this.#state = { ...this.#state, remedies: [...this.#state.remedies, dated].slice(-MOST_REMEDIES) };
    return dated;
  }

  async #save(): Promise<void> {
    const { best, ...lists } = this.#state;
    const now = JSON.stringify([lists, [...best]]);
    if (now === this.#saved) return;
    await writeHealth(this.#options.stateFile, this.#state);
    this.#saved = now;
  }
}
