/** A host shows what a challenge asks for while it is asked, by the numbers that the world sees, and disturbs no pod. */
import { describe, expect, it } from "vitest";

import { isPortToken, streamDigest, streamKey } from "../../../../../protocol/challenge/host-checks.ts";
import type { HostChallenge, PublicPort } from "../../../../../protocol/challenge/host-messages.ts";
import { digestOf } from "../../../../../protocol/challenge/messages.ts";
import { GIB } from "../../../../support/agent-builders.ts";
import { ExaminedHost } from "../../../../support/challenges/examined-host.ts";
import { checks, hostKey } from "../../../../support/challenges/honest.ts";

const MIB = 2 ** 20;
const MAPPED = [
  { internal: 10, external: 700, count: 5 },
  { internal: 100, external: 500, count: 10 },
];

function tcp(...ports: number[]): PublicPort[] {
  return ports.map((port) => ({ port, protocol: "tcp" }));
}

/** Whether the token that a port of the host's gives is the one of that public port. */
function isTokenOf(challenge: HostChallenge, token: string | undefined, port: PublicPort): boolean {
  const asked = { challengeId: digestOf(challenge), hostKey: hostKey.publicKey, port };
  return isPortToken(asked, Buffer.from(token ?? "", "base64"), checks.host);
}

describe("a host that is asked for ports", () => {
  it("opens those that are free, and says of the others whether they are busy or none of its own", async () => {
    const host = new ExaminedHost();
    host.busyPorts.add("40001/tcp");

    host.examine({ kind: "ports", ports: tcp(40_000, 40_001, 39_999, 40_099, 40_100) });
    await host.clock.untilSleeping();

    expect(host.answers).toEqual([
      {
        kind: "ports",
        open: tcp(40_000, 40_099),
        refused: [
          { port: 40_001, protocol: "tcp", code: "port-busy", message: expect.any(String) },
          { port: 39_999, protocol: "tcp", code: "port-unknown", message: expect.any(String) },
          { port: 40_100, protocol: "tcp", code: "port-unknown", message: expect.any(String) },
        ],
      },
    ]);
    expect(host.opened.map(({ ports }) => ports.map(({ hostPort }) => hostPort))).toEqual([[40_000, 40_099]]);
  });

  it("tells TCP and UDP of one number apart", async () => {
    const host = new ExaminedHost();
    host.busyPorts.add("40001/tcp");

    const ports = [...tcp(40_001), { port: 40_001, protocol: "udp" }];
    const { challenge } = host.examine({ kind: "ports", ports });
    await host.clock.untilSleeping();

    const tokens = host.opened[0]?.request.tokens;
    expect(host.answers).toMatchObject([{ open: [{ protocol: "udp" }], refused: [{ protocol: "tcp" }] }]);
    expect(tokens).toMatchObject([{ port: 40_001, protocol: "udp" }]);
    expect(isTokenOf(challenge, tokens?.[0]?.token, { port: 40_001, protocol: "udp" })).toBe(true);
  });

  it("behind a router opens the number on the host, tells and signs the one outside, and asks for its own alone whether it is busy", async () => {
    const host = new ExaminedHost({ ranges: MAPPED });
    host.busyPorts.add("103/tcp").add("502/tcp");

    const { challenge } = host.examine({ kind: "ports", ports: tcp(502, 503, 704, 102) });
    await host.clock.untilSleeping();

    const [window] = host.opened;
    const [first, second] = window?.request.tokens ?? [];
    expect(host.answers).toMatchObject([
      {
        open: tcp(502, 704),
        refused: [
          { port: 503, code: "port-busy" },
          { port: 102, code: "port-unknown" },
        ],
      },
    ]);
    expect(window?.ports).toMatchObject([{ hostPort: 102 }, { hostPort: 14 }]);
    expect([first, second]).toMatchObject([{ port: 102 }, { port: 14 }]);
    expect(isTokenOf(challenge, first?.token, { port: 502, protocol: "tcp" })).toBe(true);
    expect(isTokenOf(challenge, second?.token, { port: 704, protocol: "tcp" })).toBe(true);
    expect(isTokenOf(challenge, first?.token, { port: 102, protocol: "tcp" })).toBe(false);
  });

  it("opens nothing, and answers at once, where it can open none of them", async () => {
    const host = new ExaminedHost();

    await host.examine({ kind: "ports", ports: tcp(1) }).over;

    expect(host.answers).toMatchObject([{ open: [], refused: [{ port: 1, code: "port-unknown" }] }]);
    expect(host.opened).toEqual([]);
  });

  it("tells the window which challenge a caller has to name", async () => {
    const host = new ExaminedHost();

    const { challenge } = host.examine({ kind: "ports", ports: tcp(40_000) });
    await host.clock.untilSleeping();

    expect(host.opened).toMatchObject([{ request: { challengeId: digestOf(challenge) } }]);
  });

  it("shows them beside pods as well, and while nobody knows of pods", async () => {
    for (const pods of [1, undefined]) {
      const host = new ExaminedHost();
      host.livePods = pods;

      host.examine({ kind: "ports", ports: tcp(40_000) });
      await host.clock.untilSleeping();

      expect(host.answers).toMatchObject([{ kind: "ports", refused: [] }]);
    }
  });

  it("fails with what kept the window from opening, and answers nothing", async () => {
    const taken = new Error("taken");
    const host = new ExaminedHost({ withWindow: () => Promise.reject(taken) });

    await expect(host.examine({ kind: "ports", ports: tcp(40_000) }).over).rejects.toBe(taken);
    expect(host.answers).toEqual([]);
  });
});

describe("what is held open", () => {
  it("is open when the answer is given, and until its time is over", async () => {
    const host = new ExaminedHost();
    const { over } = host.examine({ kind: "ports", ports: tcp(40_000), openSeconds: 20 });
    await host.clock.untilSleeping();

    expect(host.windowsAtAnswer).toBe(1);
    await host.clock.advance(19_999);
    expect(host.windows).toBe(1);
    await host.clock.advance(1);
    await over;
    expect(host.windows).toBe(0);
  });

  it.each([
    ["ports", { kind: "ports", ports: tcp(40_000) }],
    ["a stream", { kind: "bandwidth", bytes: MIB }],
  ])("of %s closes at once when the validator has seen enough", async (_, task) => {
    const host = new ExaminedHost();
    const { over } = host.examine(task);
    await host.clock.untilSleeping();

    host.validator.abort(new Error("enough"));
    await over;

    expect(host.windows).toBe(0);
    expect(host.clock.sleeping).toBe(0);
    expect(host.clock.monotonic()).toBe(0);
  });

  it("closes when the answer cannot be told", async () => {
    const host = new ExaminedHost();
    host.linkLost = new Error("the link is lost");

    await expect(host.examine({ kind: "ports", ports: tcp(40_000) }).over).rejects.toBe(host.linkLost);
    expect(host.opened).toHaveLength(1);
    expect(host.windows).toBe(0);
  });
});

describe("a host that is asked for a stream", () => {
  it("opens a free port of its own, tells the number outside, and streams what the challenge seeds", async () => {
    const host = new ExaminedHost({ ranges: [{ internal: 100, external: 500, count: 3 }] });
    host.busyPorts.add("100/tcp").add("102/tcp");

    const { challenge } = host.examine({ kind: "bandwidth", bytes: 3 * MIB });
    await host.clock.untilSleeping();

    const key = streamKey(challenge).toString("hex");
    expect(host.answers).toEqual([{ kind: "bandwidth", port: 501 }]);
    expect(host.windowsAtAnswer).toBe(1);
    expect(host.opened).toEqual([
      {
        ports: [{ hostPort: 101, protocol: "tcp" }],
        request: { challengeId: digestOf(challenge), tokens: [], stream: { port: 101, key, bytes: 3 * MIB } },
      },
    ]);
  });

  it("holds it open for as long as it was asked to", async () => {
    const host = new ExaminedHost();
    const { over } = host.examine({ kind: "bandwidth", bytes: MIB, openSeconds: 60 });
    await host.clock.untilSleeping();

    await host.clock.advance(59_999);
    expect(host.windows).toBe(1);
    await host.clock.advance(1);
    await over;
    expect(host.windows).toBe(0);
  });

  it.each([
    ["all its ports are busy", [{ internal: 100, external: 500, count: 2 }]],
    ["it has no ports", []],
  ])("fails where %s", async (_, ranges) => {
    const host = new ExaminedHost({ ranges });
    host.busyPorts.add("100/tcp").add("101/tcp");

    await expect(host.examine({ kind: "bandwidth", bytes: MIB }).over).rejects.toMatchObject({
      code: "challenge-failed",
    });
    expect(host.opened).toEqual([]);
  });
});

describe("what a renter's pod would feel", () => {
  const disk = { kind: "disk", bytes: MIB };
  const stream = { kind: "bandwidth", bytes: MIB };

  it.each([
    ["a disk challenge", "beside a pod", disk, 1],
    ["a disk challenge", "while nobody knows of pods", disk, undefined],
    ["a stream", "beside a pod", stream, 1],
    ["a stream", "while nobody knows of pods", stream, undefined],
  ])("is refused: %s %s", async (_what, _when, task, pods) => {
    const host = new ExaminedHost();
    host.livePods = pods;

    await expect(host.examine(task).over).rejects.toMatchObject({ code: "challenge-disturbs" });
    expect(host.answers).toEqual([]);
    expect(host.opened).toEqual([]);
  });

  it("is done on a host without pods", async () => {
    const measured: number[] = [];
    const host = new ExaminedHost({
      measureDisk: async ({ challenge }, bytes) => (
        measured.push(bytes),
        { digest: streamDigest(streamKey(challenge), bytes), writeMs: 3, readMs: 2 }
      ),
    });

    const { challenge, over } = host.examine({ kind: "disk", bytes: 2 * MIB });
    await over;

    expect(measured).toEqual([2 * MIB]);
    expect(host.answers).toEqual([
      { kind: "disk", digest: streamDigest(streamKey(challenge), 2 * MIB), writeMs: 3, readMs: 2 },
    ]);
  });
});

describe("a host that is asked what it is", () => {
  it("answers, also beside pods, and holds nothing open", async () => {
    const sizes = { cpus: 1, memoryBytes: GIB, diskBytes: GIB, freeDiskBytes: 1 };
    const names = { kernel: "6.1", os: "Debian 12", engineVersion: "26.1.5", runtimes: [] };
    const told = { kind: "inventory" as const, gpus: [], facts: [], ports: [], hasTun: true, ...sizes, ...names };
    const host = new ExaminedHost({ inventory: async () => told });
    host.livePods = 3;

    await host.examine({ kind: "inventory" }).over;

    expect(host.answers).toEqual([told]);
    expect(host.clock.sleeping).toBe(0);
  });
});
