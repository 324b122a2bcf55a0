/**
 * A desk of challenges with one host that does what a test has it say, and keeps what it was ordered.
 */
import { ChallengeDesk, type ChallengeDeskDeps } from "../../../agent/challenges/desk.ts";
import { createReplayStore } from "../../../agent/validator/replay.ts";
import type { ChallengeNews, ChallengeOrder } from "../../../protocol/challenge/exchange.ts";
import type { HostChallenge, HostTask } from "../../../protocol/challenge/host-messages.ts";
import { type Challenge, digestOf } from "../../../protocol/challenge/messages.ts";
import { signStatement } from "../../../protocol/challenge/signing.ts";
import { AppError } from "../../../protocol/errors.ts";
import { type GpuUuid, HostId, Hotkey, type PodId } from "../../../protocol/ids.ts";
import { SILENT } from "../agent-harness.ts";
import { podId, T0 } from "../builders.ts";
import { FakeClock } from "../fake-clock.ts";
import { agentKey, challengeOf, hostKey, someDigest } from "./honest.ts";

const COMPUTE = { kind: "compute", rows: 128, inner: 128, columns: 128, rounds: 1, openings: 1 } as const;
const HOST = HostId.parse("host-0123456789abcdef");

export class DeskWorld {
  readonly clock = new FakeClock(T0);
  readonly ordered: ChallengeOrder[] = [];
  readonly ended: PodId[] = [];
  reserved: readonly GpuUuid[] = [];
  linked = true;
  readonly desk: ChallengeDesk;

  constructor(over: Partial<ChallengeDeskDeps> = {}) {
    this.desk = new ChallengeDesk({
      hosts: {
        hostOf: (key) => (this.linked && key === hostKey.publicKey ? HOST : undefined),
        reserve: (_, gpus) => {
          this.reserved = gpus;
          return () => void (this.reserved = []);
        },
        order: (_, order) => {
          if (!this.linked) throw new AppError("host-unreachable");
          this.ordered.push(order);
        },
      },
      pods: { create: async () => podId(7), end: async (id) => void this.ended.push(id) },
      hotkey: Hotkey.parse(agentKey.ss58),
      sign: (bytes) => agentKey.sign(bytes),
      replay: createReplayStore(this.clock),
      clock: this.clock,
      log: SILENT,
      ...over,
    });
  }

  /** Of just now; `nonce` makes it another one. */
  challenge(nonce = "n", over: Partial<Challenge> = {}): Challenge {
    return { ...challengeOf(COMPUTE, { nonce, gpus: ["GPU-1", "GPU-2"] }), issuedAt: this.#now(), ...over };
  }

  hostChallenge(task: HostTask, nonce = "h"): HostChallenge {
    const { version, validator, agent, hostKey: key, answerWithinMs } = challengeOf(COMPUTE);
    return {
      version,
      nonce: someDigest(nonce),
      validator,
      agent,
      hostKey: key,
      task,
      issuedAt: this.#now(),
      answerWithinMs,
    };
  }

  create(challenge: Challenge = this.challenge()): ReturnType<ChallengeDesk["create"]> {
    return this.desk.create(challenge.validator, challenge);
  }

  say(news: ChallengeNews, from = HOST): void {
    this.desk.heard(from, news);
  }

  /** What an honest host says once its work is done. */
  commit(challenge: Challenge): void {
    const id = digestOf(challenge);
    const body = { challenge: id, gpus: challenge.gpus.map((uuid) => ({ uuid, roots: [someDigest(uuid)] })) };
    this.say({ said: "committed", id, body, signature: signed(challenge, { step: "commit", body }) });
  }

  answer(challenge: Challenge, gpu: GpuUuid): void {
    const result = { kind: "memory", ends: "AAAAAA==" } as const;
    const body = { reveal: someDigest("reveal"), gpu, result };
    this.say({
      said: "answered",
      id: digestOf(challenge),
      body,
      signature: signed(challenge, { step: "answer", body }),
    });
  }

  lose(): void {
    this.linked = false;
    this.desk.lost(HOST);
  }

  #now(): string {
    return new Date(this.clock.now()).toISOString();
  }
}

function signed(challenge: Challenge, statement: Parameters<typeof signStatement>[1]): string {
  return signStatement(challenge, statement, (bytes) => hostKey.sign(bytes));
}
