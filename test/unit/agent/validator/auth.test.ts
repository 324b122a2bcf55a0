/** What a flood can spend: not the checks of signatures, not the nonces of others, not the requests of others. */
import { beforeAll, describe, expect, it } from "vitest";

import { type AuthOptions, createAuthenticator } from "../../../../agent/validator/auth.ts";
import { createReplayStore } from "../../../../agent/validator/replay.ts";
import { createSigner } from "../../../../agent/validator/signer.ts";
import { devHotkey, initHotkeys } from "../../../../common/hotkey.ts";
import type { RawRequest } from "../../../../common/http-server.ts";
import { Hotkey } from "../../../../protocol/ids.ts";
import { T0 } from "../../../support/builders.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const WRONG = { "x-bittensor-signature": `0x${"ab".repeat(64)}` };

function scene(over: Partial<AuthOptions> = {}) {
  const clock = new FakeClock(T0);
  const [alice, agent] = [devHotkey("//Alice"), devHotkey("//Bob")];
  const sign = createSigner({ hotkey: alice, receiver: agent.ss58, clock });
  const { authenticate, admit } = createAuthenticator({
    hotkey: Hotkey.parse(agent.ss58),
    allowed: new Map([[Hotkey.parse(alice.ss58), alice.scheme]]),
    replay: createReplayStore(clock),
    clock,
    ...over,
  });
  const request = (): RawRequest => {
    const parts = { method: "GET", target: "/v1/capacity", body: Buffer.alloc(0) };
    const headers = Object.entries(sign(parts)).map(([name, value]) => [name.toLowerCase(), [value]]);
    return { ...parts, headers: Object.fromEntries(headers) };
  };
  return { clock, authenticate, admit, request };
}

function forged(request: RawRequest): RawRequest {
  const changed = Object.entries(WRONG).map(([name, value]) => [name, [value]]);
  return { ...request, headers: { ...request.headers, ...Object.fromEntries(changed) } };
}

describe("an authenticator", () => {
  beforeAll(initHotkeys);

  it("does not let anybody burn a nonce that is not theirs", async () => {
    const { authenticate, request } = scene();
    const signed = request();

    await expect(authenticate(forged(signed))).rejects.toMatchObject({ code: "auth-bad-signature" });

    await expect(authenticate(signed)).resolves.toMatchObject({ kind: "owner" });
    await expect(authenticate(signed)).rejects.toMatchObject({ code: "auth-replayed" });
  });

  it("refuses a spent nonce before it looks at a signature", async () => {
    const { authenticate, request } = scene();
    const signed = request();
    await authenticate(signed);

    await expect(authenticate(forged(signed))).rejects.toMatchObject({ code: "auth-replayed" });
  });

  it("refuses a nonce that another agent of the same store has seen", async () => {
    const { authenticate, request } = scene({ replay: { remember: async () => false } });

    await expect(authenticate(request())).rejects.toMatchObject({ code: "auth-replayed" });
  });

  it("lets a hotkey send what its rate allows, and says when it may go on", async () => {
    const { clock, authenticate, request } = scene({ perHotkey: { perSecond: 0.5, burst: 2 } });
    await authenticate(request());
    await authenticate(request());
    const late = request();

    const refused = { code: "rate-limited", details: { retryAfterSeconds: 2 } };
    await expect(authenticate(late)).rejects.toMatchObject(refused);

    await clock.advance(2_000);
    await expect(authenticate(late)).resolves.toMatchObject({ kind: "owner" });
  });

  it("does not count what somebody else sends in a hotkey's name", async () => {
    const { authenticate, request } = scene({ perHotkey: { perSecond: 0.5, burst: 2 } });

    for (let n = 0; n < 5; n += 1) await authenticate(forged(request())).catch(() => undefined);

    await expect(authenticate(request())).resolves.toMatchObject({ kind: "owner" });
  });

  it("sees by the head alone what is stale or a stranger's, and not whether the signature is right", async () => {
    const { clock, admit, request } = scene();
    const signed = request();

    expect(() => admit(forged(signed))).not.toThrow();
    expect(() => admit({ ...signed, headers: {} })).toThrow("X-Bittensor-Version");
    await clock.advance(10_001);
    expect(() => admit(signed)).toThrow("older");
  });
});
