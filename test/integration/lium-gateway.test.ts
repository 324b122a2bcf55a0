/** Whole sessions of Lium's validators, of both generations, and those of people who wish us ill. */
import { randomBytes } from "node:crypto";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { ALICE, MALLORY } from "../support/api-servers.ts";
import { SSH_KEY } from "../support/builders.ts";
import { EXECUTOR, type GatewayHarness, startGateway, WAY_IN } from "../support/lium/gateway-harness.ts";
import { LiumSocket, removeFrame, signInFrame, submitFrame } from "../support/lium/validator.ts";

let gateway: GatewayHarness;
beforeEach(async () => {
  gateway = await startGateway();
});
afterEach(() => gateway[Symbol.asyncDispose]());

const IDENTITY = { uuid: EXECUTOR.uuid, address: EXECUTOR.address, port: EXECUTOR.port };
const now = (): number => Math.floor(Date.now() / 1000);
const DECISIVE = [
  "AcceptSSHKeyRequest",
  "FailedRequest",
  "UnAuthorizedRequest",
  "DeclineJobRequest",
  "PodLogsResponse",
];

async function signedIn(): Promise<LiumSocket> {
  const socket = await LiumSocket.open(gateway.url);
  socket.send(signInFrame());
  await socket.next("AcceptJobRequest");
  return socket;
}

function decisive(socket: LiumSocket): unknown[] {
  return socket.heard.filter(({ message_type }) => DECISIVE.includes(String(message_type)));
}

describe("a session", () => {
  it("of the first generation: sign-in, key, removal", async () => {
    const socket = await signedIn();
    socket.send(submitFrame(SSH_KEY));
    const accepted = await socket.next("AcceptSSHKeyRequest");
    const open = gateway.access.open.length;
    socket.send(removeFrame(SSH_KEY));
    await expect.poll(() => gateway.audit.length).toBe(2);

    // A removal is not answered: a validator could take the answer for that to something else.
    expect(socket.heard).toHaveLength(2);
    expect(socket.heard[0]).toEqual({ message_type: "AcceptJobRequest", executors: [IDENTITY] });
    expect(accepted["executors"]).toMatchObject([
      { ...IDENTITY, address: WAY_IN.address, ssh_username: "root", ssh_port: WAY_IN.port, price: null },
    ]);
    expect(accepted).not.toHaveProperty("known_executor_ids");
    expect([open, gateway.access.open]).toEqual([1, []]);
    expect(gateway.audit.map(({ who, action, outcome }) => [who, action, outcome])).toEqual([
      [ALICE.ss58, "lium-key-open", "done"],
      [ALICE.ss58, "lium-key-close", "done"],
    ]);
  });

  it("of the later generation: its own signature, the host's key, the executors that are known", async () => {
    const socket = await signedIn();
    socket.send(submitFrame(SSH_KEY, { later: true, nonce: randomBytes(32).toString("hex") }));
    const accepted = await socket.next("AcceptSSHKeyRequest");

    expect(accepted["executors"]).toMatchObject([{ ssh_host_key: WAY_IN.hostKey, price_per_gpu: null }]);
    expect(accepted["known_executor_ids"]).toEqual([EXECUTOR.uuid]);
  });

  it("may send its key before it was told that it is signed in, and then hears of both in their order", async () => {
    const socket = await LiumSocket.open(gateway.url);
    socket.send(submitFrame(SSH_KEY), signInFrame());
    await socket.next("AcceptSSHKeyRequest");

    expect(socket.heard.map(({ message_type }) => message_type)).toEqual(["AcceptJobRequest", "AcceptSSHKeyRequest"]);
  });

  it("is declined where nothing is opened for it", async () => {
    gateway.access.executors = [];
    const socket = await LiumSocket.open(gateway.url);
    socket.send(signInFrame());

    expect(await socket.next("DeclineJobRequest")).toEqual({ message_type: "DeclineJobRequest" });
    expect(await socket.closed).toMatchObject({ code: 1000 });
  });

  it("is answered once for a key that comes twice, for an executor that is not there, and for logs of a stranger's pod", async () => {
    const socket = await signedIn();
    socket.send(submitFrame(SSH_KEY, { executor_id: "0d0f3c52-7a5b-4b0e-9d4b-3a5f7c1f2e11" }));
    expect((await socket.next("AcceptSSHKeyRequest"))["executors"]).toEqual([]);
    socket.send(
      JSON.stringify({ message_type: "GetPodLogsRequest", executor_id: EXECUTOR.uuid, container_name: "container_x" }),
    );
    expect((await socket.next("FailedRequest"))["details"]).toMatch(/^pod-not-found: /);
    expect(decisive(socket)).toHaveLength(2);
  });

  it("whose removal comes in with the end of the socket has its key removed all the same", async () => {
    const socket = await signedIn();
    socket.send(submitFrame(SSH_KEY));
    await socket.next("AcceptSSHKeyRequest");
    socket.send(removeFrame(SSH_KEY));
    socket.close();

    await expect.poll(() => gateway.access.open).toEqual([]);
  });

  it("that is cut while its key is opened leaves no key behind", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    gateway.access.opening = promise;
    const socket = await signedIn();
    socket.send(submitFrame(SSH_KEY));
    await expect.poll(() => gateway.access.done.length).toBe(1);
    socket.cut();
    await socket.closed;
    resolve();

    await expect.poll(() => gateway.access.open).toEqual([]);
    expect(gateway.audit.at(-1)).toMatchObject({ action: "lium-key-close", outcome: "done" });
  });

  it(
    "is answered within 8 s while the opening hangs, once, and what was opened is closed",
    { timeout: 20_000 },
    async () => {
      gateway.access.opening = new Promise(() => undefined);
      const socket = await signedIn();
      const began = performance.now();
      socket.send(submitFrame(SSH_KEY));
      const { details } = await socket.next("FailedRequest");
      const took = performance.now() - began;
      await expect.poll(() => gateway.access.open).toEqual([]);

      expect(took).toBeLessThan(8_000);
      expect(details).toMatch(/^deadline-exceeded: /);
      expect(decisive(socket)).toHaveLength(1);
    },
  );
});

describe("whoever", () => {
  it.each([
    ["is not served", { who: MALLORY }, MALLORY.ss58, "auth-hotkey-not-allowed"],
    ["comes by another's path", { who: MALLORY }, ALICE.ss58, "auth-bad-signature"],
    ["signs for another agent", { receiver: MALLORY.ss58 }, ALICE.ss58, "auth-wrong-receiver"],
    ["signed eleven seconds ago", { timestamp: now() - 12 }, ALICE.ss58, "auth-stale"],
    ["signs for the future", { timestamp: now() + 120 }, ALICE.ss58, "auth-future"],
    ["signs with another key", { signature: `0x${"ab".repeat(64)}` }, ALICE.ss58, "auth-bad-signature"],
    ["leaves 0x out", { signature: "ab".repeat(64) }, ALICE.ss58, "auth-malformed"],
  ] as const)("%s is refused and let go", async (_name, over, path, code) => {
    const socket = await LiumSocket.open(gateway.url, path);
    socket.send(submitFrame(SSH_KEY), signInFrame(over));

    expect((await socket.next("UnAuthorizedRequest"))["details"]).toMatch(new RegExp(`^${code}: `));
    expect(await socket.closed).toMatchObject({ code: 1008 });
    expect(gateway.access.done).toEqual([]);
  });

  it("sends a sign-in a second time is refused, on this socket and on another", async () => {
    const frame = signInFrame();
    const first = await LiumSocket.open(gateway.url);
    first.send(frame);
    await first.next("AcceptJobRequest");
    const second = await LiumSocket.open(gateway.url);
    second.send(frame);
    first.send(signInFrame());

    expect((await second.next("UnAuthorizedRequest"))["details"]).toMatch(/^auth-replayed: /);
    expect((await first.next("UnAuthorizedRequest"))["details"]).toMatch(/^auth-replayed: /);
    expect(await first.closed).toMatchObject({ code: 1008 });
  });

  it.each([
    ["garbage", "{"],
    ["no known message", '{"message_type":"Whatever"}'],
    ["eleven keys before the sign-in", ...Array.from({ length: 11 }, () => submitFrame(SSH_KEY))],
    ["more than 64 KiB before the sign-in", ...Array.from({ length: 6 }, () => submitFrame("x".repeat(16_000)))],
    ["a frame of 70,000 bytes", "x".repeat(70_000)],
  ])("sends %s is let go", async (_name, ...frames) => {
    const socket = await LiumSocket.open(gateway.url);
    socket.send(...frames);

    expect([1008, 1009]).toContain((await socket.closed).code);
  });

  it.each([
    ["a line break", `${SSH_KEY}\ncommand="x" ${SSH_KEY}`],
    ["options", `command="touch /x" ${SSH_KEY}`],
    ["another kind", "ssh-dss AAAAB3NzaC1kc3MAAACBAP"],
    ["nothing", ""],
  ])("sends a key with %s opens nothing, and that is on record", async (_name, key) => {
    const socket = await signedIn();
    socket.send(submitFrame(key));
    const { details } = await socket.next("FailedRequest");

    expect(details).toMatch(/^ssh-key-invalid: /);
    expect(gateway.access.done).toEqual([]);
    expect(gateway.audit).toMatchObject([{ action: "lium-key-open", outcome: "ssh-key-invalid" }]);
  });

  it("sends a key that somebody else signed is let go; one of a second time opens nothing", async () => {
    const nonce = randomBytes(32).toString("hex");
    const socket = await signedIn();
    socket.send(submitFrame(SSH_KEY, { later: true, nonce }));
    await socket.next("AcceptSSHKeyRequest");
    socket.send(submitFrame(SSH_KEY, { later: true, nonce }));
    expect((await socket.next("FailedRequest"))["details"]).toMatch(/^auth-replayed: /);
    socket.send(submitFrame(SSH_KEY, { later: true, who: MALLORY }));

    expect((await socket.next("UnAuthorizedRequest"))["details"]).toMatch(/^auth-bad-signature: /);
    expect(gateway.access.done.filter((one) => one.startsWith("open"))).toHaveLength(1);
  });

  it("names another agent in a frame of the later generation is let go", async () => {
    const socket = await signedIn();
    socket.send(JSON.stringify({ ...JSON.parse(submitFrame(SSH_KEY, { later: true })), miner_hotkey: MALLORY.ss58 }));

    expect((await socket.next("UnAuthorizedRequest"))["details"]).toMatch(/^auth-wrong-receiver: /);
  });

  it.each(["/websocket/", "/websocket/5Grw", "/websocket/../x", "/other"])(
    "asks for %s is turned away",
    async (path) => {
      const socket = new (await import("ws")).WebSocket(`ws://${gateway.url}${path}`);
      const status = await new Promise((resolve) => {
        socket.on("unexpected-response", (_request, response) => resolve(response.statusCode));
        socket.on("error", () => undefined);
      });

      expect(status).toBe(404);
    },
  );
});

describe("room", () => {
  it("is for so many sockets of one address that have not signed in, and for more once they have", async () => {
    await using small = await startGateway({
      door: {
        sockets: 8,
        socketsPerAddress: 4,
        waitingPerAddress: 2,
        socketsPerValidator: 2,
        comingPerMinute: 100,
        requestsPerMinute: 2,
      },
    });
    const [a, b] = [await LiumSocket.open(small.url), await LiumSocket.open(small.url)];
    await expect(LiumSocket.open(small.url)).rejects.toThrow("status 429");
    for (const [socket, timestamp] of [
      [a, now()],
      [b, now() - 1],
    ] as const) {
      socket.send(signInFrame({ timestamp }));
      await socket.next("AcceptJobRequest");
    }
    const c = await LiumSocket.open(small.url);
    c.send(signInFrame({ timestamp: now() - 2 }));

    expect((await c.next("UnAuthorizedRequest"))["details"]).toMatch(/^rate-limited: /);
    a.send(submitFrame(SSH_KEY), submitFrame(SSH_KEY), submitFrame(SSH_KEY));
    expect((await a.next("FailedRequest"))["details"]).toMatch(/^rate-limited: /);
  });
});
