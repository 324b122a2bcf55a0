/**
 * Setting an agent up writes a configuration that loads, keeps secrets to their owner, and overwrites nothing.
 */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { loadAgentConfig } from "../../../agent/config.ts";
import { initAgent } from "../../../agent/init.ts";
import { loadHotkey } from "../../../common/hotkey.ts";

describe("setting an agent up", () => {
  let folder: string;
  let configPath: string;
  let stateDir: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "lium-init-"));
    configPath = join(folder, "etc", "agent.toml");
    stateDir = join(folder, "state");
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it("writes a configuration that loads, for the network's usual ports", async () => {
    const result = await initAgent({ configPath, stateDir, network: "finney", publicHost: "agent.example.org" });

    expect(await loadAgentConfig(configPath)).toMatchObject({
      network: "finney",
      stateDir,
      hotkey: { file: join(stateDir, "hotkey.json") },
      validator: { host: "0.0.0.0", port: 8091, publicUrl: "http://agent.example.org:8091", allow: [] },
      link: { host: "0.0.0.0", port: 8443, publicUrl: "wss://agent.example.org:8443" },
      operator: { socketPath: join(stateDir, "agent.sock") },
    });
    expect(result).toMatchObject({
      configPath,
      hotkey: (await loadHotkey(join(stateDir, "hotkey.json"))).ss58,
      certificateFingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it("listens for this machine alone, on ports of its own, in development", async () => {
    await initAgent({ configPath, stateDir, network: "development" });

    const { validator, link } = await loadAgentConfig(configPath);
    expect([validator.host, link.host]).toEqual(["127.0.0.1", "127.0.0.1"]);
    expect([validator.publicUrl, link.publicUrl]).toEqual([undefined, undefined]);
    expect(new Set([validator.port, link.port, 0, 8091, 8443]).size).toBe(5);
  });

  it("takes further blocks at its end, as an operator adds validators", async () => {
    const { hotkey } = await initAgent({ configPath, stateDir, network: "development" });

    await writeFile(configPath, `${await readFile(configPath, "utf8")}\n[[validator.allow]]\nhotkey = "${hotkey}"\n`);

    expect((await loadAgentConfig(configPath)).validator.allow).toEqual([{ hotkey, scheme: "sr25519" }]);
  });

  it("keeps all secrets to their owner", async () => {
    await initAgent({ configPath, stateDir, network: "finney" });

    const files = await readdir(stateDir);
    const modes = await Promise.all(files.map(async (name) => (await stat(join(stateDir, name))).mode & 0o777));
    expect(files.toSorted()).toEqual(["hotkey.json", "link-certificate.pem", "link-key.pem"]);
    expect(modes).toEqual([0o600, 0o600, 0o600]);
    expect((await stat(stateDir)).mode & 0o777).toBe(0o700);
  });

  it("refuses to overwrite a configuration", async () => {
    await initAgent({ configPath, stateDir, network: "finney" });
    const before = await readFile(configPath, "utf8");

    await expect(initAgent({ configPath, stateDir, network: "test" })).rejects.toMatchObject({
      code: "already-exists",
    });

    expect(await readFile(configPath, "utf8")).toBe(before);
  });

  it("stays the same agent when only the configuration was lost", async () => {
    const before = await initAgent({ configPath, stateDir, network: "finney" });
    await rm(configPath);

    expect(await initAgent({ configPath, stateDir, network: "finney" })).toEqual(before);
  });

  it("uses the hotkey file that is given, and refuses one that cannot be loaded", async () => {
    const mine = await initAgent({ configPath, stateDir, network: "finney" });
    const hotkeyFile = join(stateDir, "hotkey.json");
    const other = {
      configPath: join(folder, "other.toml"),
      stateDir: join(folder, "other"),
      network: "finney",
    } as const;

    expect(await initAgent({ ...other, hotkeyFile })).toMatchObject({ hotkey: mine.hotkey });
    expect(await readdir(other.stateDir)).not.toContain("hotkey.json");
    await expect(
      initAgent({ ...other, configPath: join(folder, "third.toml"), hotkeyFile: configPath }),
    ).rejects.toMatchObject({ code: "hotkey-file-invalid" });
  });
});

describe("a configuration", () => {
  it("that names no hotkey, or two, or an address with a typing error is refused by its key", async () => {
    const folder = await mkdtemp(join(tmpdir(), "lium-config-"));
    const path = join(folder, "agent.toml");
    const problems: unknown[] = [];
    const address = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    for (const lines of ["", `file = "f"\nss58 = "${address}"`, `ss58 = "${address.replace("Grw", "Grx")}"`]) {
      await writeFile(path, `[hotkey]\n${lines}\n`);
      await loadAgentConfig(path).catch((error: { details: { problems: unknown[] } }) =>
        problems.push(...error.details.problems),
      );
    }

    await rm(folder, { recursive: true, force: true });
    expect(problems).toMatchObject([{ key: "hotkey" }, { key: "hotkey" }, { key: "hotkey.ss58" }]);
  });
});
