/**
 * A machine with pods whose time is known exactly, and a meter that sees of it what an executor would: it is killed, starts
 * again, the wall clock jumps, the machine reboots. For tests that compare the record of usage with the truth.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { generateEd25519 } from "../../common/ed25519.ts";
import { createLogger, type Logger } from "../../common/logger.ts";
import type { MeterState, Terms } from "../../executor/metering/meter-state.ts";
import { Meter } from "../../executor/metering/meter.ts";
import { openUsageStore, type UsageStore } from "../../executor/metering/usage-store.ts";
import { GpuUuid } from "../../protocol/ids.ts";
import type { PodPhase } from "../../protocol/pod.ts";
import { podId, T0 } from "./builders.ts";
import { type Pod, runningPod } from "./metered-pod.ts";

export const TERMS: Terms = {
  gpus: [GpuUuid.parse("GPU-1aaa"), GpuUuid.parse("GPU-2bbb")],
  cpus: 2,
  memoryBytes: 2 ** 30,
  diskBytes: 10 * 2 ** 30,
};
/** How often an executor closes what is open. */
export const TICK_MS = 60_000;

export class MeteredWorld {
  readonly dir = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "lium-usage-"));
  readonly path = join(this.dir, "usage.db");
  readonly key = generateEd25519();
  readonly log: Logger = createLogger({
    name: "test",
    level: "error",
    output: { write: (line) => this.logged.push(line) },
  });
  readonly logged: string[] = [];
  readonly pods: Pod[] = [];
  engineAnswers = true;
  /** How many times the executor was killed, and the machine lost its power. */
  kills = 0;
  powerCuts = 0;
  #up = 1_000;
  #wall = T0;
  #boot = 1;
  #lastTick = this.#up;
  #store: UsageStore | undefined;
  #meter: Meter | undefined;

  get meter(): Meter {
    if (this.#meter === undefined) throw new Error("the executor is down");
    return this.#meter;
  }

  get isUp(): boolean {
    return this.#meter !== undefined;
  }

  dispose(): void {
    this.#drop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** The executor starts and looks at every pod. */
  start(): void {
    if (this.isUp) return;
    const at = (): { bootId: string; upMs: number; wallMs: number } => ({
      bootId: `boot-${this.#boot}`,
      upMs: Math.round(this.#up),
      wallMs: Math.round(this.#wall),
    });
    this.#store = openUsageStore(this.path, this.key, this.#wall);
    this.#meter = new Meter({
      store: this.#store,
      clock: { moment: at },
      log: this.log,
      host: this.key.publicKey,
      readCounters: () => undefined,
    });
    this.#wasSilent = false;
    this.#lastTick = this.#up;
    this.#lookAgain();
  }

  /** As kill -9 does: nothing is closed, nothing is said. */
  kill(): void {
    if (!this.isUp) return;
    this.kills += 1;
    this.#wasSilent = !this.engineAnswers;
    // A probe that failed once is forgotten with the executor; the next one fails or does not.
    for (const pod of this.pods) if (pod.real === "sick" && !pod.confirmed) this.#recover(pod);
    this.#drop();
  }

  /** As systemctl stop does. */
  stop(): void {
    this.#meter?.close();
    this.#store = undefined;
    this.#meter = undefined;
  }

  #drop(): void {
    this.#store?.close();
    this.#store = undefined;
    this.#meter = undefined;
  }

  jump(ms: number): void {
    this.#wall += ms;
    this.#jumps.push(ms);
  }

  #closedAt = this.#up;
  /** Since something was last closed: when a pod ended unseen can be told in spite of one jump that is longer than that is ago. */
  #jumps: number[] = [];

  #isMuddled(): boolean {
    const [first = 0] = this.#jumps;
    return this.#jumps.length > 1 || (first !== 0 && Math.abs(first) <= this.#up - this.#closedAt);
  }

  /** Time passes. What counts is added up pod by pod; a meter that is up closes intervals as it goes. */
  pass(ms: number): void {
    for (let left = ms; left > 0;) {
      const step = Math.min(left, this.isUp ? this.#lastTick + TICK_MS - this.#up : left);
      for (const pod of this.pods) {
        if (this.#counts(pod)) pod.billedMs += step;
        else if (pod.real === "sick" && !pod.confirmed && this.engineAnswers) pod.doubtfulMs += step;
      }
      this.#up += step;
      this.#wall += step;
      left -= step;
      if (!this.isUp || this.#up < this.#lastTick + TICK_MS) continue;
      // Doubts last for seconds.
      for (const pod of this.pods) this.confirm(pod);
      this.#meter?.tick();
      this.#closedAll();
    }
  }

  #closedAll(): void {
    this.#lastTick = this.#up;
    if (!this.engineAnswers) return;
    this.#closedAt = this.#up;
    this.#jumps = [];
    for (const pod of this.pods) pod.endedUnseen = false;
  }

  /** Down for `ms`; every pod's process is gone, and was running until the last moment. */
  reboot(ms: number, clean: boolean): void {
    if (clean) this.stop();
    else {
      this.powerCuts += 1;
      this.#drop();
    }
    for (const pod of this.pods) if (pod.real !== "ended" && pod.real !== "stopped") this.exit(pod, "provider");
    this.#boot += 1;
    this.#wall += ms;
    this.#up = 5_000;
    this.#lastTick = this.#up;
    this.#closedAt = this.#up;
  }

  add(): Pod {
    const pod = runningPod(podId(this.pods.length + 1), Math.round(this.#wall));
    this.pods.push(pod);
    this.look(pod);
    return pod;
  }

  /** SSH stops to answer, and the first probe finds it. Nobody probes while the executor is down. */
  sicken(pod: Pod): void {
    if (pod.real !== "running" || !this.isUp || !this.engineAnswers) return;
    Object.assign(pod, { real: "sick", confirmed: false, doubtfulMs: 0, failedAtMs: Math.round(this.#wall) });
    this.look(pod);
  }

  /** The second probe fails as well. */
  confirm(pod: Pod): void {
    if (pod.real !== "sick") return;
    pod.confirmed = true;
    this.look(pod);
  }

  heal(pod: Pod): void {
    if (pod.real !== "sick" || !this.isUp) return;
    this.#recover(pod);
    this.look(pod);
  }

  /** One probe that failed alone was a lost packet: the renter had the pod all the time. */
  #recover(pod: Pod): void {
    if (!pod.confirmed) pod.billedMs += pod.doubtfulMs;
    Object.assign(pod, { real: "running", confirmed: false, failedAtMs: undefined });
  }

  exit(pod: Pod, fault: "renter" | "provider"): void {
    if (pod.real !== "running" && pod.real !== "sick") return;
    // What did not count when the executor went down does not begin to before it is seen.
    pod.countsWhenSeen = pod.real === "sick" && !this.isUp;
    // An exit by the renter's doing says why the probe had failed.
    if (pod.real === "sick" && fault === "renter") this.#recover(pod);
    Object.assign(pod, { real: "exited", finishedAtMs: Math.round(this.#wall), fault, failedAtMs: undefined });
    pod.endedUnseen = !this.isUp || !this.engineAnswers;
    this.look(pod);
  }

  restart(pod: Pod): void {
    if (!this.isUp || !this.engineAnswers || pod.real === "running" || pod.real === "sick" || pod.real === "ended")
      return;
    Object.assign(pod, {
      real: "running",
      startedAtMs: Math.round(this.#wall) + this.#startNumber(),
      finishedAtMs: undefined,
    });
    this.look(pod);
  }

  halt(pod: Pod): void {
    if (!this.isUp || !this.engineAnswers || pod.real === "ended") return;
    Object.assign(pod, { real: "stopped", finishedAtMs: Math.round(this.#wall), failedAtMs: undefined });
    this.look(pod);
  }

  end(pod: Pod): void {
    if (!this.isUp || !this.engineAnswers) return;
    pod.real = "ended";
    this.look(pod);
  }

  /** What a single failed probe meant is not found out while the engine is silent: the pod is sick when it is seen again. */
  setEngine(answers: boolean): void {
    if (this.isUp && !answers) for (const pod of this.pods) pod.confirmed ||= pod.real === "sick";
    this.engineAnswers = answers;
    if (this.isUp) this.#lookAgain();
  }

  #lookAgain(): void {
    for (const pod of this.pods) {
      if (pod.endedUnseen && this.engineAnswers && this.#isMuddled()) pod.muddled = true;
      if (this.engineAnswers) pod.countsWhenSeen = false;
      this.look(pod);
    }
    this.#closedAll();
  }

  look(pod: Pod): void {
    this.#meter?.observe(pod.id, this.#stateOf(pod));
  }

  #starts = 0;
  /** No two starts have the same instant, whatever the wall clock does. */
  #startNumber(): number {
    this.#starts += 1;
    return this.#starts / 1_000;
  }

  /** Whether the engine was silent when the executor went down. */
  #wasSilent = false;

  /** The truth: what a renter owes for. From when the engine was found silent until it was found back nobody vouches for a pod. */
  #counts({ real, fault, countsWhenSeen }: Pod): boolean {
    if (this.isUp ? !this.engineAnswers : this.#wasSilent) return false;
    return real === "running" || (real === "exited" && fault === "renter" && !countsWhenSeen);
  }

  #stateOf(pod: Pod): MeterState {
    if (!this.engineAnswers && pod.real !== "ended") return { terms: TERMS, phase: "unknown" };
    const isAlive = pod.real === "running" || pod.real === "sick";
    return {
      terms: TERMS,
      phase: this.#phaseOf(pod),
      runningSinceMs: isAlive ? pod.startedAtMs : undefined,
      endedAtMs: pod.finishedAtMs,
      failedAtMs: pod.failedAtMs,
      fault: pod.real === "exited" ? pod.fault : undefined,
    };
  }

  #phaseOf({ real, confirmed }: Pod): PodPhase {
    if (real === "sick") return confirmed ? "degraded" : "running";
    return real;
  }
}
