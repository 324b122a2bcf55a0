/** A host remembers its agent from the join on, also on a machine where nothing of ours has run yet. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { joinAgent, loadMembership, saveMembership } from "../../../../executor/link/membership.ts";
import { encodeJoinToken } from "../../../../protocol/link.ts";

const TOKEN = { url: "wss://agent.example.org:8443", fingerprint: "ab".repeat(32), secret: "s".repeat(43) };

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "lium-membership-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe("joinAgent", () => {
  it("makes the state folder where there is none, and keeps the secret from others", async () => {
    const stateDir = join(dir, "var/lib/executor");

    await joinAgent(stateDir, ` ${encodeJoinToken(TOKEN)}\n`);

    const { url, fingerprint, secret } = TOKEN;
    expect(await loadMembership(stateDir)).toEqual({ url, fingerprint, joinSecret: secret });
    expect(statSync(join(stateDir, "agent.json")).mode & 0o777).toBe(0o600);
  });

  it.each(["", "lium-join1.", "lium-join1.e30", "hello", `${encodeJoinToken(TOKEN).slice(0, -9)}`])(
    "refuses %j and changes nothing",
    async (text) => {
      await expect(joinAgent(dir, text)).rejects.toMatchObject({ code: "join-token-invalid" });
      expect(await loadMembership(dir)).toBeUndefined();
    },
  );
});

describe("loadMembership", () => {
  it("forgets the secret once it was saved without it", async () => {
    const { url, fingerprint } = await joinAgent(dir, encodeJoinToken(TOKEN));

    await saveMembership(dir, { url, fingerprint });

    expect(await loadMembership(dir)).toEqual({ url, fingerprint });
  });

  it("says so when the file is damaged, instead of leaving the agent", async () => {
    writeFileSync(join(dir, "agent.json"), "{");

    await expect(loadMembership(dir)).rejects.toMatchObject({ code: "config-invalid" });
  });
});
