/** Encrypted hotkeys as other programs encrypted them, and coldkeys that must stay shut. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { loadHotkey } from "../../../../common/hotkey.ts";
import { ENCRYPTED_ALICE, PASSWORD } from "../../../support/wallet/encrypted-keys.ts";

const ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
const ALICE_SEED = "0xe5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "lium-wallet-"))));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

describe.each(Object.entries(ENCRYPTED_ALICE))("a hotkey encrypted by %s", (kind, content) => {
  test("opens with its password, while this thread goes on", { timeout: 30_000 }, async () => {
    const path = write(`${kind}/hotkey`, content);
    let turns = 0;
    const turning = setInterval(() => (turns += 1), 1);

    const hotkey = await loadHotkey(path, write(`${kind}/password`, `${PASSWORD}\n`));

    clearInterval(turning);
    expect(hotkey.ss58).toBe(ALICE);
    expect(turns).toBeGreaterThan(kind === "ansible" ? -1 : 50);
  });

  test("asks for its password when none is given", async () => {
    await expect(loadHotkey(write(`${kind}/hotkey`, content))).rejects.toMatchObject({
      code: "hotkey-file-invalid",
      message: expect.stringContaining("passwordFile"),
    });
  });

  test("that lost its end is refused and not half read", { timeout: 30_000 }, async () => {
    const path = write(`${kind}/short`, content.subarray(0, 200));

    const opened = loadHotkey(path, write(`${kind}/password`, PASSWORD));

    await expect(opened).rejects.toMatchObject({ code: "hotkey-file-invalid", details: { path } });
  });
});

test("a wrong password is refused without a word of what is inside", async () => {
  const path = write("wrong/hotkey", ENCRYPTED_ALICE.ansible);

  const error: unknown = await loadHotkey(path, write("wrong/password", "guess")).catch((refusal: unknown) => refusal);

  expect(error).toMatchObject({ code: "hotkey-file-invalid", message: expect.stringContaining("does not open") });
  expect(error).not.toHaveProperty("cause");
});

test("a coldkey is refused by its name, before it is read", async () => {
  await expect(loadHotkey(join(folder, "wallets", "default", "coldkey"))).rejects.toMatchObject({
    message: expect.stringContaining("is a coldkey"),
  });
});

test("a coldkey that was copied to the hotkeys is refused by its address", async () => {
  write("wallets/default/coldkeypub.txt", JSON.stringify({ ss58Address: ALICE }));
  const path = write("wallets/default/hotkeys/hot", JSON.stringify({ secretSeed: ALICE_SEED, ss58Address: ALICE }));

  await expect(loadHotkey(path)).rejects.toMatchObject({ message: expect.stringContaining("holds the coldkey") });
});
