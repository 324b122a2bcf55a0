/** Challenges at the agent: who may, when, in which order, and what becomes of them when the host is lost. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";

import { initHotkeys } from "../../../../common/hotkey.ts";
import { type Challenge, digestOf } from "../../../../protocol/challenge/messages.ts";
import { wrongSignature } from "../../../../protocol/challenge/signing.ts";
import { HostId, Hotkey } from "../../../../protocol/ids.ts";
import { ALICE } from "../../../support/api-servers.ts";
import { podId } from "../../../support/builders.ts";
import { DeskWorld } from "../../../support/challenges/desk-world.ts";
import { checks, someDigest } from "../../../support/challenges/honest.ts";

const never = new AbortController().signal;
const outOfOrder = expect.objectContaining({ code: "challenge-out-of-order" });
const STRANGER = Hotkey.parse(ALICE.ss58);
let world: DeskWorld;

beforeAll(() => initHotkeys());
beforeEach(() => {
  world = new DeskWorld();
});

/** Created and committed to. */
async function committed(): Promise<Challenge> {
  const challenge = world.challenge();
  await world.create(challenge);
  world.commit(challenge);
  return challenge;
}

describe("a challenge", () => {
  it("is ordered of its host, whose GPUs nobody else gets, under its digest", async () => {
    const challenge = world.challenge();

    const view = await world.create(challenge);

    expect(view).toEqual({ id: digestOf(challenge), phase: "working", answered: [] });
    expect(world.ordered).toEqual([{ do: "begin", id: view.id, challenge }]);
    expect(world.reserved).toEqual(challenge.gpus);
  });

  it("counts once: its nonce is refused also with another task, and after its end", async () => {
    const challenge = await committed();
    world.desk.cancel(challenge.validator, digestOf(challenge));
    world.say({ said: "closed", id: digestOf(challenge) });

    await expect(world.create(challenge)).rejects.toMatchObject({ code: "challenge-repeated" });
    await expect(world.create({ ...challenge, commitWithinMs: 101 })).rejects.toMatchObject({
      code: "challenge-repeated",
    });
    expect(world.reserved).toEqual([]);
  });

  it.each([
    ["for another agent", { agent: ALICE.ss58 }, "challenge-refused"],
    ["from half a minute ago", { issuedAt: new Date(Date.UTC(2025, 0, 1)).toISOString() }, "challenge-refused"],
    ["of a host that is not here", { hostKey: Buffer.alloc(32, 3).toString("base64") }, "host-unreachable"],
  ])("%s is refused, and nothing is ordered", async (_, over, code) => {
    await expect(world.create({ ...world.challenge(), ...over } as Challenge)).rejects.toMatchObject({ code });
    expect(world.ordered).toEqual([]);
  });

  it("in somebody else's name is refused", async () => {
    await expect(world.desk.create(STRANGER, world.challenge())).rejects.toMatchObject({ code: "challenge-refused" });
  });

  it("is nobody's but its validator's", async () => {
    const challenge = await committed();
    const id = digestOf(challenge);
    const reveal = { commit: someDigest("c"), secret: someDigest("s") };
    const refused = expect.objectContaining({ code: "challenge-not-found" });

    expect(() => world.desk.get(STRANGER, id)).toThrow(refused);
    expect(() => world.desk.reveal(STRANGER, id, reveal)).toThrow(refused);
    expect(() => world.desk.answer(STRANGER, id, challenge.gpus[0]!)).toThrow(refused);
    expect(() => world.desk.cancel(STRANGER, id)).toThrow(refused);
    await expect(world.desk.await(STRANGER, id, "answered", never)).rejects.toEqual(refused);
  });

  it("keeps others from the host until the host has let go of it, not only until its end", async () => {
    const challenge = await committed();
    world.desk.cancel(challenge.validator, digestOf(challenge));

    await expect(world.create(world.challenge("2"))).rejects.toMatchObject({ code: "challenge-busy" });
    expect(world.reserved).toEqual(challenge.gpus);
    world.say({ said: "failed", id: digestOf(challenge), reason: { code: "challenge-refused", message: "Over." } });
    expect(world.reserved).toEqual([]);
    expect(await world.create(world.challenge("3"))).toMatchObject({ phase: "working" });
  });

  it("is refused to a validator whose challenges have held the host for long enough", async () => {
    const challenge = await committed();
    await world.clock.advance(11 * 60_000);
    world.say({ said: "closed", id: digestOf(challenge) });

    await expect(world.create(world.challenge("2"))).rejects.toMatchObject({
      code: "challenge-busy",
      details: { retryAfterSeconds: expect.any(Number) },
    });
    expect(world.reserved).toEqual([]);
  });

  it("cannot be had from an agent that cannot sign", async () => {
    world = new DeskWorld({ sign: undefined });

    await expect(world.create()).rejects.toMatchObject({ code: "agent-cannot-sign" });
  });

  it("takes no host where its nonce cannot be stored", async () => {
    const full = { remember: () => Promise.reject(new Error("full")) };
    world = new DeskWorld({ replay: full });

    await expect(world.create()).rejects.toThrow("full");
    await expect(world.create()).rejects.toThrow("full");
  });
});

describe("the steps of a challenge", () => {
  it("go in order, once each, and both sign what the host says", async () => {
    const challenge = world.challenge();
    const { id } = await world.create(challenge);
    const { validator } = challenge;
    const early = { commit: someDigest("c"), secret: someDigest("s") };
    expect(() => world.desk.reveal(validator, id, early)).toThrow(outOfOrder);

    world.commit(challenge);
    const { commit } = world.desk.get(validator, id);
    expect(wrongSignature(challenge, { step: "commit", ...commit! }, checks)).toBeUndefined();
    expect(() => world.desk.reveal(validator, id, early)).toThrow(/another commitment/);
    const reveal = { commit: digestOf(commit!.body), secret: someDigest("s") };
    expect(world.desk.reveal(validator, id, reveal)).toMatchObject({ phase: "answering" });
    expect(() => world.desk.reveal(validator, id, reveal)).toThrow(outOfOrder);
    expect(world.ordered.at(-1)).toEqual({ do: "reveal", id, reveal });

    for (const gpu of challenge.gpus) world.answer(challenge, gpu);
    const answers = challenge.gpus.map((gpu) => world.desk.answer(validator, id, gpu));
    expect(answers.map((answer) => wrongSignature(challenge, { step: "answer", ...answer }, checks))).toEqual([
      undefined,
      undefined,
    ]);
    expect(world.desk.get(validator, id)).toMatchObject({ phase: "answered", answered: challenge.gpus });
  });

  it("wake everybody who waits for them", async () => {
    const challenge = world.challenge();
    const { id } = await world.create(challenge);
    const waiting = [1, 2, 3].map(() => world.desk.await(challenge.validator, id, "committed", never));

    world.commit(challenge);

    expect((await Promise.all(waiting)).map(({ phase }) => phase)).toEqual(["committed", "committed", "committed"]);
  });

  it("are believed of the challenge's own host alone", async () => {
    const challenge = world.challenge();
    const { id } = await world.create(challenge);

    world.say(
      { said: "failed", id, reason: { code: "internal", message: "Mine." } },
      HostId.parse("host-ffffffffffffffff"),
    );

    expect(world.desk.get(challenge.validator, id)).toMatchObject({ phase: "working" });
  });

  it("fail at once when the host is lost, and the host is free for the next", async () => {
    const challenge = await committed();
    const waiting = world.desk.await(challenge.validator, digestOf(challenge), "answered", never);

    world.lose();

    expect(await waiting).toMatchObject({ phase: "failed", reason: { code: "host-unreachable" } });
    expect(world.reserved).toEqual([]);
    world.linked = true;
    expect(await world.create(world.challenge("2"))).toMatchObject({ phase: "working" });
  });

  it("end with their time, and the host is told", async () => {
    const challenge = await committed();
    const waiting = world.desk.await(challenge.validator, digestOf(challenge), "answered", never);

    await world.clock.advance(3_600_000);

    expect(await waiting).toMatchObject({ phase: "failed", reason: { code: "deadline-exceeded" } });
    expect(world.ordered.at(-1)).toMatchObject({ do: "cancel" });
  });
});

describe("the pod of a challenge", () => {
  const task = {
    kind: "pod",
    image: "debian:12",
    sshKey: "ssh-ed25519 AAAA",
    gpus: 1,
    openSeconds: 60,
  } as const;

  it.each([
    ["the validator lets it go", (id: string) => void world.desk.cancel(world.hostChallenge(task).validator, id)],
    ["its host is lost", () => world.lose()],
    ["the host fails", (id: string) => world.say({ said: "failed", id, reason: { code: "internal", message: "No." } })],
  ])("is named in the order and ends when %s", async (_, end) => {
    const challenge = world.hostChallenge(task);
    const view = await world.desk.createOfHost(challenge.validator, challenge);
    const before = [...world.ended];
    end(view.id);

    expect(view.podId).toBe(podId(7));
    expect(world.ordered[0]).toMatchObject({ do: "examine", podId: podId(7) });
    expect(before).toEqual([]);
    expect(world.ended).toEqual([podId(7)]);
  });

  it("that cannot be had costs nothing but the challenge", async () => {
    const none = { create: () => Promise.reject(new Error("no capacity")), end: async () => undefined };
    world = new DeskWorld({ pods: none });
    const challenge = world.hostChallenge(task);

    await expect(world.desk.createOfHost(challenge.validator, challenge)).rejects.toThrow("no capacity");
    expect(world.ordered).toEqual([]);
    expect(await world.create()).toMatchObject({ phase: "working" });
  });
});
