/** What a validator checks by itself is the same everywhere: streams byte by byte, tokens for one port of one challenge. */
import { createHash } from "node:crypto";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { generateEd25519 } from "../../../../common/ed25519.ts";
import { devHotkey } from "../../../../common/hotkey.ts";
import { isPortToken, seededStream, streamDigest, streamKey } from "../../../../protocol/challenge/host-checks.ts";
import { HostChallenge, HostTask, nameOf, type PublicPort } from "../../../../protocol/challenge/host-messages.ts";
import { digestOf } from "../../../../protocol/challenge/messages.ts";
import { portTokenBytes } from "../../../../protocol/challenge/signing.ts";
import { SSH_KEY } from "../../../support/builders.ts";
import { checks, hostKey, someDigest } from "../../../support/challenges/honest.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** The bytes 00 to 1f. */
const KEY = Uint8Array.from({ length: 32 }, (_, place) => place);

const CHALLENGE = {
  version: 1,
  nonce: someDigest("n"),
  validator: devHotkey("//Bob", "ed25519").ss58,
  agent: devHotkey("//Alice", "ed25519").ss58,
  hostKey: hostKey.publicKey,
  task: { kind: "bandwidth", bytes: MIB },
  issuedAt: "2026-01-01T00:00:00.000Z",
  answerWithinMs: 60_000,
};

function challengeOf(over: object = {}): HostChallenge {
  return HostChallenge.parse({ ...CHALLENGE, ...over });
}

describe("a seeded stream", () => {
  // KEY=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
  // head -c BYTES /dev/zero | openssl enc -aes-256-ctr -K $KEY -iv 00000000000000000000000000000000 | sha256sum
  it.each([
    [1, "966c7c47125c74575a9a1153b799faf55be33a04e3d9f98760a3eeac377103df"],
    [MIB, "81d2e0277e02e82905a82544e0b46f944fbb644a2287c211b3eab305b42c81a9"],
    [MIB + 1, "764227b4c9a1e3e7716d373ecc61c04519a00fbbbf83c352cf99129e086e71b6"],
    [3 * MIB + 5, "f616ec6e6648bcc429dc0108d1e2428ff62cf3220b89c4c08cde5f6c25e1448e"],
  ])("of %i bytes has the digest that openssl finds", (bytes, digest) => {
    expect(streamDigest(KEY, bytes)).toBe(digest);
  });

  it("comes in pieces of a MiB that add up to what was asked for", () => {
    const anyBytes = fc.oneof(
      fc.integer({ min: 0, max: 4 * MIB }),
      fc.constantFrom(0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB),
    );

    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const lengths = [...seededStream(KEY, bytes)].map(({ length }) => length);

        expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(bytes);
        expect(lengths.slice(0, -1).every((length) => length === MIB)).toBe(true);
        expect(lengths.every((length) => length > 0 && length <= MIB)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it("that is longer begins like one that is shorter, with pieces that are no copies of each other", () => {
    const [short = Buffer.of()] = seededStream(KEY, 1000);
    const [first = Buffer.of(), second = Buffer.of()] = [...seededStream(KEY, 2 * MIB)];

    expect(first.subarray(0, 1000).equals(short)).toBe(true);
    expect(first.equals(second)).toBe(false);
  });

  it("is of another key for every challenge, and for one the same whoever derives it", () => {
    const challenge = challengeOf();
    const line = `lium-challenge/1\nstream\n${digestOf(challenge)}`;

    expect(streamKey(challenge)).toEqual(createHash("sha256").update(line).digest());
    expect(streamKey(challengeOf({ nonce: someDigest("other") }))).not.toEqual(streamKey(challenge));
  });
});

describe("a port's token", () => {
  const challengeId = someDigest("a challenge");
  const port: PublicPort = { port: 40_001, protocol: "tcp" };
  const asked = { challengeId, hostKey: hostKey.publicKey, port };
  const token = hostKey.sign(portTokenBytes(challengeId, port));

  function holds(over: Partial<typeof asked> = {}, given: Uint8Array = token): boolean {
    return isPortToken({ ...asked, ...over }, given, checks.host);
  }

  it("holds for the port, the protocol, the host and the challenge that it was made for, and for no other", () => {
    expect(holds()).toBe(true);
    expect(holds({ port: { ...port, port: 40_002 } })).toBe(false);
    expect(holds({ port: { ...port, protocol: "udp" } })).toBe(false);
    expect(holds({ hostKey: generateEd25519().publicKey })).toBe(false);
    expect(holds({ challengeId: someDigest("another challenge") })).toBe(false);
  });

  it("holds whole and unchanged alone", () => {
    const changed = Uint8Array.from(token, (byte, place) => (place === 63 ? byte ^ 1 : byte));

    expect(holds({}, changed)).toBe(false);
    expect(holds({}, token.subarray(0, 63))).toBe(false);
    expect(holds({}, Buffer.concat([token, Buffer.of(0)]))).toBe(false);
    expect(holds({}, Buffer.of())).toBe(false);
  });

  it("is never looked at by whoever verifies while it has another length than 64", () => {
    const never = (): boolean => expect.unreachable("it was looked at");

    expect(isPortToken(asked, Buffer.alloc(65), never)).toBe(false);
  });

  it("is for other bytes than any other port's", () => {
    const anyPort = fc.record({
      port: fc.integer({ min: 1, max: 65_535 }),
      protocol: fc.constantFrom("tcp", "udp"),
    });

    fc.assert(
      fc.property(anyPort, anyPort, (one, other) => {
        const [a, b] = [one, other].map((each) => Buffer.from(portTokenBytes(challengeId, each)));

        expect(a?.equals(b ?? Buffer.of())).toBe(nameOf(one) === nameOf(other));
      }),
    );
  });
});

describe("a host's task", () => {
  const ports = Array.from({ length: 65 }, (_, place) => ({ port: 40_000 + place, protocol: "tcp" }));
  const [first] = ports;
  const pod = { kind: "pod", image: "debian:12", sshKey: SSH_KEY };

  it.each([
    ["64 ports", { kind: "ports", ports: ports.slice(0, 64) }],
    ["a port over both protocols", { kind: "ports", ports: [first, { ...first, protocol: "udp" }] }],
    ["a MiB of disk", { kind: "disk", bytes: MIB }],
    ["8 GiB of disk", { kind: "disk", bytes: 8 * GIB }],
    ["8 GiB from a port", { kind: "bandwidth", bytes: 8 * GIB }],
    ["a pod without GPUs", { ...pod, gpus: 0 }],
    ["a pod of 16 GPUs", { ...pod, gpus: 16, openSeconds: 600 }],
    ["an inventory", { kind: "inventory" }],
  ])("may ask for %s", (_, task) => {
    expect(HostTask.safeParse(task)).toMatchObject({ success: true });
  });

  it.each([
    ["no port", { kind: "ports", ports: [] }],
    ["65 ports", { kind: "ports", ports }],
    ["a port twice", { kind: "ports", ports: [first, first] }],
    ["a port twice, in another spelling", { kind: "ports", ports: [first, { protocol: "tcp", port: 40_000 }] }],
    ["the port 0", { kind: "ports", ports: [{ port: 0, protocol: "tcp" }] }],
    ["the port 65536", { kind: "ports", ports: [{ port: 65_536, protocol: "tcp" }] }],
    ["another protocol", { kind: "ports", ports: [{ port: 1, protocol: "sctp" }] }],
    ["less than a MiB of disk", { kind: "disk", bytes: MIB - 1 }],
    ["more than 8 GiB of disk", { kind: "disk", bytes: 8 * GIB + 1 }],
    ["half a byte more of disk", { kind: "disk", bytes: MIB + 0.5 }],
    ["more than 8 GiB from a port", { kind: "bandwidth", bytes: 8 * GIB + 1 }],
    ["a port open for four seconds", { kind: "bandwidth", bytes: MIB, openSeconds: 4 }],
    ["a port open for longer than two minutes", { kind: "bandwidth", bytes: MIB, openSeconds: 121 }],
    ["a pod for longer than ten minutes", { ...pod, openSeconds: 601 }],
    ["a pod of 17 GPUs", { ...pod, gpus: 17 }],
    ["a pod with a key that is none", { ...pod, sshKey: "ssh-ed25519 AAAA" }],
    ["what there is not", { kind: "reboot" }],
  ])("may not ask for %s", (_, task) => {
    expect(HostTask.safeParse(task)).toMatchObject({ success: false });
  });

  it.each([
    ["an inventory", { kind: "inventory" }],
    ["ports", { kind: "ports", ports: [first] }],
    ["disk", { kind: "disk", bytes: MIB }],
    ["bandwidth", { kind: "bandwidth", bytes: MIB }],
    ["a pod", pod],
  ])("of %s has no field that is unknown", (_, task) => {
    expect(HostTask.safeParse(task)).toMatchObject({ success: true });
    expect(HostTask.safeParse({ ...task, more: 1 })).toMatchObject({
      success: false,
      error: { issues: [{ code: "unrecognized_keys", keys: ["more"] }] },
    });
  });

  it("has no unknown field in a port", () => {
    expect(HostTask.safeParse({ kind: "ports", ports: [{ ...first, more: 1 }] })).toMatchObject({ success: false });
  });
});

describe("a host's challenge", () => {
  const pod = { kind: "pod", image: "debian:12", sshKey: SSH_KEY };

  it("loses the comment of its key when it is parsed, so that a digest is of what was parsed", () => {
    const task = { ...pod, gpus: 1, openSeconds: 120 };
    const raw = { ...CHALLENGE, task: { ...task, sshKey: `${SSH_KEY} somebody@home` } };
    const parsed = HostChallenge.parse(raw);

    expect(parsed.task).toEqual(task);
    expect(digestOf(parsed)).toBe(digestOf(challengeOf({ task })));
    expect(digestOf(parsed)).not.toBe(digestOf(raw));
  });

  it("has the same digest after it has travelled, with what was left out filled in", () => {
    const parsed = challengeOf({ task: pod });

    expect(parsed.task).toMatchObject({ gpus: 1, openSeconds: 120 });
    expect(digestOf(HostChallenge.parse(JSON.parse(JSON.stringify(parsed))))).toBe(digestOf(parsed));
  });

  it.each([
    ["an unknown field", { more: 1 }],
    ["another version", { version: 2 }],
    ["a nonce of 31 bytes", { nonce: "00".repeat(31) }],
    ["a nonce in capitals", { nonce: "AB".repeat(32) }],
    ["a host's key of 31 bytes", { hostKey: Buffer.alloc(31).toString("base64") }],
    ["a time below 100 ms", { answerWithinMs: 99 }],
    ["a time above half an hour", { answerWithinMs: 30 * 60_000 + 1 }],
    ["a day without a time", { issuedAt: "2026-01-01" }],
  ])("with %s is refused", (_, over) => {
    expect(HostChallenge.safeParse({ ...CHALLENGE, ...over })).toMatchObject({ success: false });
  });
});
