/** Challenges at the host: one at a time, for its own key, and over when nobody waits any more. */
import { beforeEach, describe, expect, it } from "vitest";

import { type Examining, HostChallenges, type Proving } from "../../../../executor/challenges/desk.ts";
import type { ChallengeNews, ChallengeOrder } from "../../../../protocol/challenge/exchange.ts";
import { digestOf } from "../../../../protocol/challenge/messages.ts";
import { wrongSignature } from "../../../../protocol/challenge/signing.ts";
import { AppError } from "../../../../protocol/errors.ts";
import { SILENT } from "../../../support/agent-harness.ts";
import { DeskWorld } from "../../../support/challenges/desk-world.ts";
import { checks, hostKey, someDigest } from "../../../support/challenges/honest.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const made = new DeskWorld();
const challenge = made.challenge();
const asked = made.hostChallenge({ kind: "disk", bytes: 2 ** 20 });
const begin: ChallengeOrder = { do: "begin", id: digestOf(challenge), challenge };
const examine: ChallengeOrder = { do: "examine", id: digestOf(asked), challenge: asked };
const DISK = { kind: "disk", digest: someDigest("d"), writeMs: 1, readMs: 1 } as const;

let clock: FakeClock;
let over: AbortController;
let told: ChallengeNews[];
let proving: Proving[];
let proof: PromiseWithResolvers<void>;
let work: (examining: Examining) => Promise<void>;
let challenges: HostChallenges;

beforeEach(() => {
  clock = new FakeClock();
  over = new AbortController();
  told = [];
  proving = [];
  proof = Promise.withResolvers();
  work = ({ answer }) => answer(DISK);
  challenges = new HostChallenges({
    identity: hostKey,
    prove: (one) => {
      proving.push(one);
      one.signal.addEventListener("abort", () => proof.reject(one.signal.reason));
      return proof.promise;
    },
    examine: (one) => work(one),
    clock,
    log: SILENT,
  });
});

function take(order: ChallengeOrder): void {
  challenges.take(order, async (news) => void told.push(news), over.signal);
}

describe("a host", () => {
  it("works on one challenge, tells another one that it is busy, and is free after the end", async () => {
    take(begin);
    take(examine);
    expect(told).toMatchObject([{ said: "failed", id: examine.id, reason: { code: "challenge-busy" } }]);

    proof.resolve();
    await clock.advance(1);
    take(examine);
    await clock.advance(1);

    expect(told.slice(1)).toMatchObject([
      { said: "closed", id: begin.id },
      { said: "result", id: examine.id },
      { said: "closed", id: examine.id },
    ]);
  });

  it("hands the reveal of its own challenge on, and no other", async () => {
    const reveal = { commit: someDigest("c"), secret: someDigest("s") };
    take(begin);
    take({ do: "reveal", id: someDigest("another"), reveal: { ...reveal, secret: someDigest("wrong") } });
    take({ do: "reveal", id: begin.id, reveal });

    await expect(proving[0]?.revealed).resolves.toEqual(reveal);
    proof.resolve();
  });

  it("stops when it is given up, and says why", async () => {
    take(begin);
    take({ do: "cancel", id: begin.id });
    await clock.advance(1);

    expect(proving[0]?.signal.aborted).toBe(true);
    expect(told).toMatchObject([{ said: "failed", id: begin.id, reason: { code: "challenge-refused" } }]);
  });

  it("stops when its link is lost, and tells nobody", async () => {
    take(begin);
    over.abort(new AppError("host-unreachable"));
    await clock.advance(1);

    expect(proving[0]?.signal.aborted).toBe(true);
    expect(told).toEqual([]);
  });

  it.each([
    ["for another host", { ...challenge, hostKey: Buffer.alloc(32, 9).toString("base64") }],
    ["under another id", { ...challenge, nonce: someDigest("another") }],
  ])("does nothing for a challenge %s", async (what, other) => {
    const id = what === "for another host" ? digestOf(other) : begin.id;
    take({ do: "begin", id, challenge: other });
    await clock.advance(1);

    expect(proving).toEqual([]);
    expect(told).toMatchObject([{ said: "failed", id, reason: { code: "challenge-refused" } }]);
  });

  it("signs its answer with its own key", async () => {
    take(examine);
    await clock.advance(1);
    const [result] = told.flatMap((news) => (news.said === "result" ? [news] : []));
    const agent = Buffer.alloc(64).toString("base64");
    const signatures = { host: result?.signature ?? "", agent };

    expect(result?.body).toEqual({ challenge: examine.id, result: DISK });
    expect(wrongSignature(asked, { step: "result", body: result!.body, signatures }, checks)).toBe("agent");
  });

  it("gives up what takes longer than the validator waits, and not what it holds open after its answer", async () => {
    const held = Promise.withResolvers<void>();
    work = ({ signal }) => clock.sleep(10 * asked.answerWithinMs, signal);
    take(examine);
    await clock.advance(asked.answerWithinMs);
    expect(told).toMatchObject([{ said: "failed", reason: { code: "deadline-exceeded" } }]);

    work = async ({ answer }) => {
      await answer(DISK);
      await held.promise;
    };
    take(examine);
    await clock.advance(2 * asked.answerWithinMs);
    expect(told.slice(1)).toMatchObject([{ said: "result" }]);
    held.resolve();
    await clock.advance(1);
    expect(told.at(-1)).toMatchObject({ said: "closed" });
  });

  it("lets go of everything before it closes", async () => {
    take(begin);

    await challenges.close();

    expect(proving[0]?.signal.aborted).toBe(true);
  });
});
