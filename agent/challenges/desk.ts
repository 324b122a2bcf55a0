/**
 * Challenges of validators on their way to hosts and back. One at a time on a host; each nonce counts once, also over restarts;
 * what hosts say is signed by our hotkey and handed out to that validator alone. It is kept for a while after its end and in
 * memory: a challenge does not outlive the agent.
 */
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import type {
  ChallengeNews,
  ChallengeOrder,
  ChallengePhase,
  ChallengeView,
} from "../../protocol/challenge/exchange.ts";
import type { HostChallenge } from "../../protocol/challenge/host-messages.ts";
import { type Answer, type Challenge, digestOf, type Reveal } from "../../protocol/challenge/messages.ts";
import type { Signatures } from "../../protocol/challenge/signatures.ts";
import { type SignBytes, signStatement, type Statement } from "../../protocol/challenge/signing.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import type { GpuUuid, HostId, Hotkey, PodId } from "../../protocol/ids.ts";
import type { Reason } from "../../protocol/pod.ts";
import type { ReplayStore } from "../validator/replay.ts";
import { Holds } from "./holds.ts";
import { MAX_AGE_MS, nonceOf, refusalOf } from "./refusal.ts";
import { hasReached, isLive, keptSize, letGo, newRun, ring, type Run, viewOf } from "./run.ts";

/** Who can be asked. */
export interface ChallengeHosts {
  /** The host with this key, if it is linked and knows of challenges. */
  hostOf(hostKey: string): HostId | undefined;
  /** Keeps these from renters until the returned function is called. */
  reserve(hostId: HostId, gpus: readonly GpuUuid[]): () => void;
  /** Throws `host-unreachable`. */
  order(hostId: HostId, order: ChallengeOrder): void;
}

/** The pod of a challenge that asks for one. */
export interface ChallengePods {
  /** Rents it on this host, as the validator would. Throws what renting throws. */
  create(owner: Hotkey, challenge: HostChallenge, hostId: HostId): Promise<PodId>;
  /** Ends it; repeating that is harmless. Never rejects. */
  end(podId: PodId): Promise<void>;
}

export interface ChallengeDeskDeps {
  readonly hosts: ChallengeHosts;
  readonly pods: ChallengePods;
  /** Our own; without its key nothing can be vouched for. */
  readonly hotkey: Hotkey;
  readonly sign: SignBytes | undefined;
  readonly replay: Pick<ReplayStore, "remember">;
  readonly clock: Clock;
  readonly log: Logger;
}

const KEEP_MS = 120_000;
/** From the commitment to the reveal. */
const REVEAL_MS = 300_000;
/** Between the agent and the host, and for the host to get ready. */
const SLACK_MS = 150_000;
const MOST_RUNS = 64;
const MOST_KEPT = 256 * 2 ** 20;

export class ChallengeDesk {
  readonly #deps: ChallengeDeskDeps;
  readonly #runs = new Map<string, Run>();
  readonly #holds: Holds;

  constructor(deps: ChallengeDeskDeps) {
    this.#deps = deps;
    const { hosts, hotkey, clock } = deps;
    this.#holds = new Holds({ reserve: (hostId, gpus) => hosts.reserve(hostId, gpus), hotkey, clock });
  }

  async create(caller: Hotkey, challenge: Challenge): Promise<ChallengeView> {
    const lastsMs = challenge.commitWithinMs + REVEAL_MS + challenge.answerWithinMs;
    const run = await this.#begin(caller, { what: "gpus", challenge }, lastsMs);
    run.release = this.#holds.take(run.hostId, challenge);
    this.#order(run, { do: "begin", id: run.id, challenge });
    return viewOf(run);
  }

  async createOfHost(caller: Hotkey, challenge: HostChallenge): Promise<ChallengeView> {
    const { task } = challenge;
    const lastsMs = challenge.answerWithinMs + ("openSeconds" in task ? task.openSeconds * 1000 : 0);
    const run = await this.#begin(caller, { what: "host", challenge }, lastsMs);
    const { id, hostId } = run;
    if (task.kind === "pod") await this.#addPod(run, challenge);
    const { podId } = run;
    this.#deps.log.info("a host is asked", { id, hostId, kind: task.kind });
    this.#order(run, { do: "examine", id, challenge, ...(podId === undefined ? {} : { podId }) });
    return viewOf(run);
  }

  /** Resolves when the phase is reached or can no longer be, or when `signal` aborts. */
  async await(caller: Hotkey, id: string, phase: ChallengePhase, signal: AbortSignal): Promise<ChallengeView> {
    const run = this.#run(caller, id);
    const { clock } = this.#deps;
    while (!signal.aborted && !hasReached(run, phase)) {
      const leftMs = run.endsAtMs - clock.monotonic();
      if (leftMs <= 0) this.#fail(run, LATE);
      const woken = new AbortController();
      const sleep = clock.sleep(leftMs, AbortSignal.any([signal, woken.signal])).catch(() => undefined);
      await Promise.race([run.changed.promise, sleep]);
      woken.abort();
    }
    return viewOf(run);
  }

  get(caller: Hotkey, id: string): ChallengeView {
    return viewOf(this.#run(caller, id));
  }

  reveal(caller: Hotkey, id: string, reveal: Reveal): ChallengeView {
    const run = this.#run(caller, id);
    if (run.phase !== "committed" || run.commit === undefined) throw new AppError("challenge-out-of-order");
    if (reveal.commit !== digestOf(run.commit.body)) throw refused("The reveal is for another commitment.");
    run.phase = "answering";
    this.#order(run, { do: "reveal", id, reveal });
    return viewOf(run);
  }

  answer(caller: Hotkey, id: string, gpu: GpuUuid): Answer {
    const answer = this.#run(caller, id).answers.get(gpu);
    if (answer === undefined) throw new AppError("challenge-out-of-order");
    return answer;
  }

  /** Gives it up; what is open has been answered and is closed. */
  cancel(caller: Hotkey, id: string): ChallengeView {
    const run = this.#run(caller, id);
    if (run.phase === "open") this.#close(run);
    else if (isLive(run)) this.#fail(run, { code: "challenge-refused", message: "The validator gave it up." });
    return viewOf(run);
  }

  /** Takes what a host says; of a challenge that is not its own nothing. */
  heard(hostId: HostId, news: ChallengeNews): void {
    const run = this.#runs.get(news.id);
    if (run === undefined || run.hostId !== hostId) return;
    if (news.said === "closed" || news.said === "failed") letGo(run);
    if (!isLive(run)) return;
    if (news.said === "failed") {
      this.#end(run, "failed");
      run.reason = news.reason;
    } else if (news.said === "closed") {
      if (run.phase === "open") this.#end(run, "answered");
    } else {
      this.#take(run, news);
    }
    ring(run);
  }

  /** The host's link is gone: what it did for us it has given up. */
  lost(hostId: HostId): void {
    for (const run of this.#runs.values()) {
      if (run.hostId !== hostId) continue;
      letGo(run);
      if (!isLive(run)) continue;
      run.reason = { code: "host-unreachable", message: "The connection to the host was lost." };
      this.#end(run, "failed");
      ring(run);
    }
  }

  async #begin(caller: Hotkey, of: Run["of"], lastsMs: number): Promise<Run> {
    const { hosts, hotkey, sign, replay, clock } = this.#deps;
    const { challenge } = of;
    this.#forgetOld();
    const refusal = refusalOf(challenge, { caller, hotkey, nowMs: clock.now() });
    if (refusal !== undefined) throw refused(refusal);
    if (sign === undefined) throw new AppError("agent-cannot-sign");
    if (of.what === "gpus") this.#holds.check(of.challenge);
    if (this.#runs.has(digestOf(challenge))) throw new AppError("challenge-repeated");
    const hostId = hosts.hostOf(challenge.hostKey);
    if (hostId === undefined) throw new AppError("host-unreachable");
    const held = [...this.#runs.values()].filter((run) => run.held);
    if (held.length >= MOST_RUNS || held.some((run) => run.hostId === hostId)) throw new AppError("challenge-busy");
    const run = newRun({ of, validator: caller, hostId, endsAtMs: clock.monotonic() + lastsMs + SLACK_MS });
    // From here on the host is taken, so that the wait below lets nobody in.
    this.#runs.set(run.id, run);
    const forgetAt = clock.now() + 2 * MAX_AGE_MS;
    const isNew = await replay.remember(caller, nonceOf(challenge.nonce), forgetAt).catch((error: unknown) => {
      this.#runs.delete(run.id);
      throw error;
    });
    if (isNew && isLive(run)) return run;
    this.#runs.delete(run.id);
    throw new AppError(isNew ? "host-unreachable" : "challenge-repeated");
  }

  async #addPod(run: Run, challenge: HostChallenge): Promise<void> {
    try {
      run.podId = await this.#deps.pods.create(challenge.validator, challenge, run.hostId);
    } catch (error) {
      const { code, message } = toAppError(error);
      letGo(run);
      run.reason = { code, message };
      this.#end(run, "failed");
      throw error;
    }
  }

  #take(run: Run, news: Extract<ChallengeNews, { readonly body: unknown }>): void {
    if (news.said === "committed" && run.phase === "working") {
      run.commit = {
        body: news.body,
        signatures: this.#vouch(run, { step: "commit", body: news.body }, news.signature),
      };
      run.phase = "committed";
    } else if (news.said === "answered" && run.phase === "answering" && run.of.what === "gpus") {
      const signatures = this.#vouch(run, { step: "answer", body: news.body }, news.signature);
      run.answers.set(news.body.gpu, { body: news.body, signatures });
      this.#makeRoom(run);
      if (run.of.challenge.gpus.every((gpu) => run.answers.has(gpu))) this.#end(run, "answered");
    } else if (news.said === "result" && run.phase === "working") {
      const signatures = this.#vouch(run, { step: "result", body: news.body }, news.signature);
      run.answer = { body: news.body, signatures };
      if (run.of.what === "host" && "openSeconds" in run.of.challenge.task) run.phase = "open";
      else this.#end(run, "answered");
    }
  }

  #vouch({ of: { challenge } }: Run, statement: Statement, host: string): Signatures {
    const { sign } = this.#deps;
    if (sign === undefined) throw new AppError("internal");
    return { host, agent: signStatement(challenge, statement, sign) };
  }

  #order(run: Run, order: ChallengeOrder): void {
    try {
      this.#deps.hosts.order(run.hostId, order);
    } catch (error) {
      run.reason = { code: "host-unreachable", message: "The host is not linked." };
      letGo(run);
      this.#end(run, "failed");
      throw error;
    }
  }

  #fail(run: Run, reason: Reason): void {
    run.reason = reason;
    this.#tellOfEnd(run);
    this.#end(run, "failed");
    ring(run);
  }

  #close(run: Run): void {
    this.#tellOfEnd(run);
    this.#end(run, "answered");
    ring(run);
  }

  #end(run: Run, phase: "answered" | "failed"): void {
    run.phase = phase;
    if (run.podId !== undefined) void this.#deps.pods.end(run.podId);
    this.#deps.log.info("a challenge is over", { id: run.id, hostId: run.hostId, phase, reason: run.reason?.code });
  }

  #tellOfEnd({ id, hostId }: Run): void {
    try {
      this.#deps.hosts.order(hostId, { do: "cancel", id });
    } catch {
      // A host that is not linked has given it up.
    }
  }

  #run(caller: Hotkey, id: string): Run {
    const run = this.#runs.get(id);
    if (run?.validator === caller) return run;
    throw new AppError("challenge-not-found");
  }

  #forgetOld(): void {
    const nowMs = this.#deps.clock.monotonic();
    for (const [id, run] of this.#runs) {
      if (isLive(run) && nowMs > run.endsAtMs) this.#fail(run, LATE);
      if (nowMs > run.endsAtMs) letGo(run);
      if (nowMs > run.endsAtMs + KEEP_MS) this.#runs.delete(id);
    }
  }

  /** Answers are large: where they are too many, those of the oldest challenges that are over go. */
  #makeRoom(newest: Run): void {
    let kept = [...this.#runs.values()].reduce((sum, run) => sum + keptSize(run), 0);
    for (const [id, run] of this.#runs) {
      if (kept <= MOST_KEPT) return;
      if (run === newest || isLive(run)) continue;
      kept -= keptSize(run);
      this.#runs.delete(id);
    }
  }
}

const LATE: Reason = { code: "deadline-exceeded", message: "The challenge's time is over." };

function refused(message: string): AppError {
  return new AppError("challenge-refused", { message });
}
