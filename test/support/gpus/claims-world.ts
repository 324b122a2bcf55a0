/**
 * Agent and executor over a real link and a fake engine, with renters who each want one GPU, and kills at any moment: what a
 * killed one had not written by then is lost, and what it had asked the engine for still happens.
 */
import { cpSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { makeCertificate } from "../../../agent/link/certificate.ts";
import { systemClock } from "../../../common/clock.ts";
import { generateEd25519 } from "../../../common/ed25519.ts";
import { CurrentFacts } from "../../../executor/host/current-facts.ts";
import { LinkClient } from "../../../executor/link/client.ts";
import type { PodId } from "../../../protocol/ids.ts";
import { isOver } from "../../../protocol/pod.ts";
import { hostFacts } from "../agent-builders.ts";
import { type Harness, startHarness } from "../agent-harness.ts";
import { CALLER, owner, wish as request } from "../agent-scene.ts";
import { seededRandom } from "../arena/random.ts";
import { T0 } from "../builders.ts";
import { FakeClock } from "../fake-clock.ts";
import { leaseOf, type PodsHarness } from "../pods-harness.ts";

/** Agent and executor over a real link, each of which can be killed and started again at any moment. */
export class ClaimsWorld {
  readonly #identity = generateEd25519();
  readonly #random = seededRandom("4711", "gpu claims");
  readonly #host: PodsHarness;
  #agent: Harness | undefined;
  #link: LinkClient | undefined;
  #joinSecret: string | undefined;
  over = false;

  constructor(host: PodsHarness) {
    this.#host = host;
  }

  get agent(): Harness {
    if (this.#agent === undefined) throw new Error("start first");
    return this.#agent;
  }

  async start(): Promise<void> {
    const dir = mkdtempSync(join(this.#host.dir, "agent-"));
    this.#agent = await startHarness({ dir, clock: new FakeClock(T0), certificate: await makeCertificate(Date.now()) });
    this.#joinSecret = (await this.agent.invitation()).secret;
    await this.startExecutor();
  }

  async startExecutor(): Promise<void> {
    await this.#host.boot();
    const facts = new CurrentFacts(hostFacts({ gpus: this.#host.passthrough.offered() }));
    this.#link = new LinkClient(
      { reconnect: { firstDelayMs: 5, maxDelayMs: 50 } },
      {
        membership: {
          url: this.agent.url,
          fingerprint: this.agent.certificate.fingerprint,
          ...(this.#joinSecret === undefined ? {} : { joinSecret: this.#joinSecret }),
        },
        name: "host",
        identity: this.#identity,
        pods: this.#host.pods,
        events: this.#host.ledger,
        facts,
        gpuReports: { follow: async () => undefined },
        clock: systemClock(),
        log: this.#host.log,
        random: Math.random,
        challenges: { take: () => undefined },
        forbidRemedies: () => undefined,
        onWelcome: async () => {
          this.#joinSecret = undefined;
        },
      },
    );
    this.#link.start();
  }

  async killExecutor(): Promise<void> {
    void this.#link?.close();
    this.#host.crash();
    await pause(this.#random.int(0, 30));
    await this.startExecutor();
  }

  /** With the executor, in one moment: what either has not written by then is lost. */
  async killBoth(): Promise<void> {
    const { agent } = this;
    this.#agent = undefined;
    const dir = mkdtempSync(join(this.#host.dir, "agent-"));
    for (const suffix of ["", "-wal", "-shm"]) cpSync(`${agent.dbPath}${suffix}`, join(dir, `agent.db${suffix}`));
    void this.#link?.close();
    this.#host.crash();
    await agent.close();
    const { clock, certificate } = agent;
    this.#agent = await startHarness({ dir, clock, certificate });
    await this.startExecutor();
  }

  async stop(): Promise<void> {
    await this.#link?.close();
    await this.#agent?.close();
  }

  /** Kills the executor, or both, again and again, until all renters are served. */
  async killing(): Promise<void> {
    for (let round = 0; !this.over && round < 12; round += 1) {
      await pause(this.#random.int(20, 400));
      if (round % 3 === 2) await this.killBoth();
      else await this.killExecutor();
    }
  }

  /** Asks until it is given a GPU, uses it and gives it back; a request that a crash swallowed is made again. */
  async renter(n: number): Promise<void> {
    const asked = request({ gpus: { count: 1 }, lease: leaseOf(3_600_000) }, { idempotencyKey: `renter-${n}` });
    const podId = await this.#until(
      async () => {
        const { agent } = this;
        const view = await agent.fleet.createPod(owner, asked, agent.clock.monotonic());
        return agent === this.#agent ? view.podId : undefined;
      },
      () => this.#hasFree(),
    );
    await this.#until(async () => this.#phaseIs(podId, "running"));
    await this.#until(async () => {
      const { agent } = this;
      await agent.fleet.changePod(CALLER, podId, { do: "terminate", reason: "requested" });
      return agent === this.#agent ? true : undefined;
    });
    await this.#until(async () => this.#phaseIs(podId, "ended"));
  }

  #phaseIs(podId: PodId, phase: "running" | "ended"): true | undefined {
    const { status } = this.agent.fleet.getPod(CALLER, podId);
    if (isOver(status.phase) && status.phase !== phase) throw new Error(`renter: ${JSON.stringify(status.reason)}`);
    return status.phase === phase ? true : undefined;
  }

  /** Refusals and crashes are tried again once there is hope; what must not be ends the test. */
  async #until<T>(attempt: () => Promise<T | undefined>, isWorthTrying = (): boolean => true): Promise<T> {
    for (;;) {
      const done = await attempt().catch((error: unknown) => {
        if (error instanceof Error && error.message.startsWith("renter: ")) throw error;
        return undefined;
      });
      if (done !== undefined) return done;
      do await pause(this.#random.int(10, 40));
      while (!isWorthTrying());
    }
  }

  #hasFree(): boolean {
    if (this.#agent === undefined) return false;
    return this.#agent.fleet.capacity().offers.some(({ gpus }) => gpus.some(({ free }) => free));
  }
}
