/** The REST twin of Lium's gateway. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { signInStatement } from "../../protocol/lium/statements.ts";
import { AGENT, ALICE, MALLORY } from "../support/api-servers.ts";
import { SSH_KEY } from "../support/builders.ts";
import { EXECUTOR, type GatewayHarness, startGateway } from "../support/lium/gateway-harness.ts";
import { hex, removeFrame, submitFrame } from "../support/lium/validator.ts";

let gateway: GatewayHarness;
beforeEach(async () => {
  gateway = await startGateway();
});
afterEach(() => gateway[Symbol.asyncDispose]());

const IDENTITY = { uuid: EXECUTOR.uuid, address: EXECUTOR.address, port: EXECUTOR.port };
const now = (): number => Math.floor(Date.now() / 1000);

describe("the REST twin", () => {
  const headersOf = (over: { readonly timestamp?: number; readonly who?: typeof ALICE } = {}) => {
    const { who = ALICE, timestamp = now() } = over;
    const payload = { validator_hotkey: who.ss58, miner_hotkey: AGENT.ss58, timestamp };
    return {
      "content-type": "application/json",
      "x-validator-hotkey": who.ss58,
      "x-miner-hotkey": AGENT.ss58,
      "x-timestamp": String(timestamp),
      "x-signature": hex(who.sign(Buffer.from(signInStatement(payload)))),
    };
  };
  const post = async (path: string, headers: Record<string, string>, body: string) => {
    const answer = await fetch(`http://${gateway.url}${path}`, { method: "POST", headers, body });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  const SUBMIT = "/api/validator/ssh-pubkey-submit";

  it("opens and closes keys as the socket does", async () => {
    const opened = await post(SUBMIT, headersOf(), submitFrame(SSH_KEY, { later: true }));
    const open = gateway.access.open.length;
    const signature = { validator_signature: hex(ALICE.sign(Buffer.from(SSH_KEY))), miner_hotkey: AGENT.ss58 };
    const removal = JSON.stringify({ ...JSON.parse(removeFrame(SSH_KEY)), ...signature });
    const closed = await post("/api/validator/ssh-pubkey-remove", headersOf({ timestamp: now() - 1 }), removal);

    expect(opened).toMatchObject({ status: 200, body: { message_type: "AcceptSSHKeyRequest" } });
    expect(closed).toMatchObject({ status: 200, body: { message_type: "SSHKeyRemoved" } });
    expect([open, gateway.access.open]).toEqual([1, []]);
  });

  it("tells a validator its executors, for a signature over its own name", async () => {
    const signature = hex(ALICE.sign(Buffer.from(ALICE.ss58)));
    const body = JSON.stringify({ validator_hotkey: ALICE.ss58, signature });

    expect(await post("/executors", { "content-type": "application/json" }, body)).toEqual({
      status: 200,
      body: { validator_hotkey: ALICE.ss58, executors: [IDENTITY] },
    });
  });

  it("refuses headers that come twice, that are of a stranger, and a key without a signature", async () => {
    const headers = headersOf();
    const first = await post(SUBMIT, headers, submitFrame(SSH_KEY, { later: true }));
    const again = await post(SUBMIT, headers, submitFrame(SSH_KEY, { later: true }));
    const stranger = await post(SUBMIT, headersOf({ who: MALLORY }), submitFrame(SSH_KEY, { later: true }));
    const unsigned = await post(SUBMIT, headersOf({ timestamp: now() - 1 }), submitFrame(SSH_KEY));

    expect([first, again, stranger, unsigned].map(({ status, body }) => [status, body["code"]])).toEqual([
      [200, undefined],
      [401, "auth-replayed"],
      [403, "auth-hotkey-not-allowed"],
      [401, "auth-malformed"],
    ]);
  });
});
