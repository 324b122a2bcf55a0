/**
 * Who gets a link to the agent, over real TLS: a host with an open join token once, and after that with its key alone.
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { connect } from "node:net";

import { afterEach, describe, expect, it } from "vitest";

import { makeCertificate } from "../../agent/link/certificate.ts";
import { generateEd25519 } from "../../common/ed25519.ts";
import { helloBytes } from "../../protocol/link.ts";
import { harnessSuite } from "../support/agent-harness.ts";
import { FakeExecutor } from "../support/fake-executor.ts";

const suite = harnessSuite();
afterEach(() => suite.end());

describe("enrolment", () => {
  it("lets a host in with a join token, and from then on with its key alone", async () => {
    const agent = await suite.start();
    const invitation = await agent.invitation();
    const key = generateEd25519();

    const first = await FakeExecutor.join({ ...invitation, key, name: "rack-1" });
    first.vanish();
    const second = await FakeExecutor.join({ ...invitation, key, secret: undefined, name: "rack-2" });

    expect(agent.fleet.listHosts()).toMatchObject([{ hostId: second.hostId, name: "rack-2", connected: true }]);
    expect((await agent.store.readAudit(5)).map(({ action, who }) => [action, who])).toEqual([
      ["enrol", first.hostId],
      ["invite", "operator"],
    ]);
  });

  it("takes a token from one host only, also when many bring it at once", async () => {
    const agent = await suite.start();
    const invitation = await agent.invitation();

    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => FakeExecutor.join(invitation)));

    const refusals = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason.message] : []));
    expect(refusals).toEqual(Array.from({ length: 7 }, () => "join-token-invalid"));
    expect(agent.fleet.listHosts()).toHaveLength(1);
  });

  it("does not use a token up for a host that is known", async () => {
    const agent = await suite.start();
    const key = generateEd25519();
    await FakeExecutor.join({ ...(await agent.invitation()), key });
    const second = await agent.invitation();

    await FakeExecutor.join({ ...second, key });
    await FakeExecutor.join(second);

    expect(agent.fleet.listHosts()).toHaveLength(2);
  });

  it("refuses a token that has expired, one that was never made, and a stranger without any", async () => {
    const agent = await suite.start();
    const expired = await agent.invitation(60);
    await agent.clock.advance(60_000);

    await expect(FakeExecutor.join(expired)).rejects.toThrow("join-token-invalid");
    await expect(FakeExecutor.join({ ...expired, secret: "x".repeat(43) })).rejects.toThrow("join-token-invalid");
    await expect(FakeExecutor.join({ ...expired, secret: undefined })).rejects.toThrow("link-refused");
    expect(agent.fleet.listHosts()).toEqual([]);
  });

  it("stores no join secret in clear", async () => {
    const agent = await suite.start();
    const { secret = "" } = await agent.invitation();

    const stored = Buffer.concat([await readFile(agent.dbPath), await readFile(`${agent.dbPath}-wal`)]);

    expect(secret).toHaveLength(43);
    expect(stored.includes(secret)).toBe(false);
  });
});

describe("the proof of a key", () => {
  it("cannot be had by an agent with another certificate", async () => {
    const agent = await suite.start();
    const other = await makeCertificate(Date.now());

    const dial = FakeExecutor.join({ ...(await agent.invitation()), fingerprint: other.fingerprint });

    await expect(dial).rejects.toThrow("not the one in the token");
  });

  it("does not hold a second time: neither a hello that was heard before nor one for another nonce", async () => {
    const agent = await suite.start();
    const invitation = await agent.invitation();
    const key = generateEd25519();
    const honest = await FakeExecutor.dial({ ...invitation, key });
    const hello = honest.hello((await honest.next("challenge")).nonce);
    honest.send(hello);
    await honest.next("welcome");

    const thief = await FakeExecutor.dial(invitation);
    await thief.next("challenge");
    thief.send(hello);

    expect(await thief.next("refused")).toMatchObject({ code: "link-refused" });
    expect(await thief.closed()).toBe("link-refused");
  });

  it("does not hold when it was made for another certificate, as by a relay in between", async () => {
    const agent = await suite.start();
    const executor = await FakeExecutor.dial(await agent.invitation());
    const { nonce } = await executor.next("challenge");
    const relayed = executor.key.sign(helloBytes(nonce, "00".repeat(32)));

    executor.send(executor.hello(nonce, { signature: Buffer.from(relayed).toString("base64") }));

    expect(await executor.next("refused")).toMatchObject({ code: "link-refused" });
  });

  it("is different for each connection", async () => {
    const agent = await suite.start();
    const invitation = await agent.invitation();

    const nonces = await Promise.all(
      [1, 2, 3].map(async () => (await (await FakeExecutor.dial(invitation)).next("challenge")).nonce),
    );

    expect(new Set(nonces).size).toBe(3);
  });
});

describe("what is not a hello of this version", () => {
  it("is refused by its code: another version, another frame, no frame", async () => {
    const agent = await suite.start();
    const invitation = await agent.invitation();
    const answer = async (say: (executor: FakeExecutor, nonce: string) => void): Promise<string> => {
      const executor = await FakeExecutor.dial(invitation);
      say(executor, (await executor.next("challenge")).nonce);
      return (await executor.next("refused")).code;
    };

    const codes = [
      await answer((executor, nonce) => executor.send(executor.hello(nonce, { version: 99 }))),
      await answer((executor) => executor.tell([], true)),
      await answer((executor) => executor.sendText("hello?")),
    ];

    expect(codes).toEqual(["link-protocol", "link-protocol", "link-protocol"]);
  });

  it("closes a link that was live, and the host may come back", async () => {
    const agent = await suite.start();
    const invitation = await agent.invitation();
    const executor = await FakeExecutor.join(invitation);

    executor.sendText('{"type":"gossip"}');

    expect(await executor.closed()).toBe("link-protocol");
    await FakeExecutor.join({ ...invitation, key: executor.key });
    expect(agent.fleet.listHosts()).toMatchObject([{ connected: true }]);
  });
});

describe("a stranger", () => {
  it("is let go when it has not proved who it is in time", async () => {
    const agent = await suite.start();
    const silent = connect(Number(new URL(agent.url).port), "127.0.0.1");
    await once(silent, "connect");
    const executor = await FakeExecutor.dial(await agent.invitation());
    await executor.next("challenge");
    const closed = Promise.all([once(silent.resume(), "close"), executor.closed()]);

    await agent.clock.advance(9_999);
    expect(silent.closed).toBe(false);
    await agent.clock.advance(1);

    await closed;
  });

  it("cannot take more than its share of sockets, and hosts that are let in do not count", async () => {
    const agent = await suite.start({ waitingRoom: { perAddress: 2, deadlineMs: 10_000 } });
    for (const n of [1, 2, 3]) await FakeExecutor.join({ ...(await agent.invitation()), name: `host ${n}` });
    const invitation = await agent.invitation();
    const waiting = [await FakeExecutor.dial(invitation), await FakeExecutor.dial(invitation)];

    await expect(FakeExecutor.dial(invitation)).rejects.toBeInstanceOf(Error);

    waiting[0]?.vanish();
    await waiting[0]?.closed();
    await expect
      .poll(() =>
        FakeExecutor.dial(invitation).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
  });

  it("finds nothing behind other paths and methods", async () => {
    const agent = await suite.start();
    const [response] = await once(
      request(`${agent.url.replace("wss", "https")}/`, { rejectUnauthorized: false }).end(),
      "response",
    );

    expect(response.statusCode).toBe(404);
  });
});
