/**
 * The pods of a scene and their renters: to rent, use and end them, and to ask whether each is as it was wanted.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";

import { exec } from "../../../common/exec.ts";
import type { PodId } from "../../../protocol/ids.ts";
import { isOver, type PodPhase, type PodSpecInput, type PodView } from "../../../protocol/pod.ts";
import { type Live, sshArgs } from "../live.ts";
import { Counter } from "./counter.ts";
import type { Random } from "./random.ts";
import { until } from "./wait.ts";

const WANTED_MS = 60_000;
const ENDED_MS = 120_000;
const KEYGEN_MS = 10_000;
const KEY_MS = 20_000;
const VOLUME_BYTES = 64 * 2 ** 20;
const LEASE_MS = 48 * 3_600_000;

export type SpecChange = Partial<PodSpecInput>;

export interface RenterKey {
  readonly file: string;
  readonly publicKey: string;
  readonly fingerprint: string;
}

export class ScenePods {
  readonly #live: Live;
  readonly #image: string;
  readonly #knownHosts: readonly string[];
  #counters: Counter[] = [];
  #expected = new Map<PodId, PodPhase>();

  /** Pods are of `image` unless a fault says otherwise. */
  constructor(live: Live, image: string) {
    this.#live = live;
    this.#image = image;
    const { agentDir } = live.stack;
    this.#knownHosts = [agentDir, dirname(agentDir)].map((dir) => join(dir, "known_hosts"));
  }

  /** Rents a pod and waits until its renter can log in. */
  async rent(change: SpecChange = {}): Promise<PodView> {
    return this.untilPhase(await this.ask(change), "running");
  }

  rentMany(count: number, change: SpecChange = {}): Promise<PodView[]> {
    return Promise.all(Array.from({ length: count }, () => this.rent(change)));
  }

  /** A small one that no pod has had. */
  newVolume(random: Random): NonNullable<PodSpecInput["volume"]> {
    return { name: `volume-${random.int(0, 1e9)}`, mountPath: "/data", sizeBytes: VOLUME_BYTES };
  }

  /** Asks for a pod and waits for nothing. */
  async ask(change: SpecChange = {}): Promise<PodId> {
    const lease = { expiresAt: new Date(Date.now() + LEASE_MS).toISOString() };
    const spec = this.#live.spec({ image: this.#image, lease, ...change });
    const { podId } = await this.#live.client.createPod({ body: { spec } });
    return podId;
  }

  /** Pods with a renter at work in each, who must never be disturbed. */
  async counting(count: number, change: SpecChange = {}): Promise<PodView[]> {
    return Promise.all(Array.from({ length: count }, () => this.countingPod(change)));
  }

  async countingPod(change: SpecChange = {}): Promise<PodView> {
    const pod = await this.rent(change);
    await this.count(pod);
    return pod;
  }

  async count(pod: PodView): Promise<Counter> {
    const args = sshArgs(pod, { key: this.#live.keyFile, dir: this.#live.stack.agentDir });
    const counter = await Counter.start(`the counter in ${pod.podId}`, args);
    this.#counters.push(counter);
    return counter;
  }

  /** The renters log out: for what cannot but end their sessions. */
  async stopCounting(): Promise<void> {
    await Promise.all(this.#counters.map((counter) => counter.stop()));
    this.#counters = [];
  }

  view(podId: PodId): Promise<PodView> {
    return this.#live.client.getPod({ params: { podId }, query: {} });
  }

  /** For a pod that cannot be where it is wanted: where it has to be instead. */
  expect(podId: PodId, phase: PodPhase): void {
    this.#expected.set(podId, phase);
  }

  async untilPhase(podId: PodId, phase: PodPhase, withinMs = WANTED_MS): Promise<PodView> {
    return until(`${podId} to be ${phase}`, withinMs, async () => {
      const view = await this.view(podId);
      assert.equal(view.status.phase, phase, JSON.stringify(view.status.reason));
      assert.equal(view.live, true);
      return view;
    });
  }

  /** Nothing of the pod is left on its host. */
  async untilOver(podId: PodId, withinMs = ENDED_MS): Promise<PodView> {
    return until(`${podId} to be over`, withinMs, async () => {
      const view = await this.view(podId);
      assert.ok(isOver(view.status.phase), `it is ${view.status.phase}: ${JSON.stringify(view.status.reason)}`);
      return view;
    });
  }

  /** A second key for the renter. */
  async makeKey(name: string): Promise<RenterKey> {
    const file = join(this.#live.stack.agentDir, name);
    await rm(file, { force: true });
    const limits = { signal: AbortSignal.timeout(KEYGEN_MS), timeoutMs: KEYGEN_MS };
    await exec("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file], limits);
    const { stdout } = await exec("ssh-keygen", ["-lf", `${file}.pub`], limits);
    return { file, publicKey: readFileSync(`${file}.pub`, "utf8").trim(), fingerprint: stdout.split(" ")[1] ?? "" };
  }

  /** Whether the key lets its owner in, in the end. */
  async untilKeyWorks(podId: PodId, keyFile: string, works: boolean): Promise<void> {
    const pod = await this.view(podId);
    await until(`the key to be ${works ? "taken" : "refused"}`, KEY_MS, async () => {
      const { exitCode } = await this.#live.ssh(pod, "true", { keyFile });
      return exitCode === (works ? 0 : 255) ? true : undefined;
    });
  }

  /** Runs a command in the pod over SSH; resolves with what it wrote. */
  async login(pod: PodView, command = "echo in"): Promise<string> {
    const { stdout, stderr, exitCode } = await this.#live.ssh(pod, command);
    assert.equal(exitCode, 0, `${command} in ${pod.podId}: ${stderr}`);
    return stdout;
  }

  /** Asks for the end, and for nothing more. */
  async end(podId: PodId): Promise<void> {
    await this.#live.client.terminatePod({ params: { podId } });
  }

  async stop(podId: PodId): Promise<PodView> {
    await this.#live.client.stopPod({ params: { podId } });
    return this.untilPhase(podId, "stopped");
  }

  async start(podId: PodId): Promise<PodView> {
    await this.#live.client.startPod({ params: { podId } });
    return this.untilPhase(podId, "running");
  }

  /** Throws unless every renter still works. */
  async countersNeverStopped(): Promise<void> {
    for (const counter of this.#counters) await counter.neverStopped();
  }

  /** Every pod is where its wish, or `expect`, has it, and whoever should be able to log in can. */
  async allAsWanted(): Promise<void> {
    const pods = await this.#left();
    await Promise.all(
      pods.map(async ({ podId, goal }) => {
        const phase = this.#expected.get(podId) ?? (goal === "ended" ? "ended" : goal);
        const view = await this.untilPhase(podId, phase);
        if (phase === "running") await this.login(view);
      }),
    );
  }

  /** Ends all and waits for it. */
  async endAll(): Promise<void> {
    await this.stopCounting();
    this.#expected.clear();
    // Ports are given out again, with other host keys behind them.
    await Promise.all(this.#knownHosts.map((file) => rm(file, { force: true })));
    await Promise.all((await this.#left()).map(({ podId }) => this.end(podId)));
    await until("every pod to end", ENDED_MS, async () => {
      assert.deepEqual(await this.#left(), []);
      return true as const;
    });
  }

  async #left(): Promise<PodView[]> {
    const { pods } = await this.#live.client.listPods({ query: {} });
    return pods.filter(({ status }) => !isOver(status.phase));
  }
}
