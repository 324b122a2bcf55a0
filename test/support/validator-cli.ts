/**
 * `lium-agent as-validator` with a hotkey file of its own, against a listener that serves that hotkey.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { onTestFinished } from "vitest";

import type { UseCases } from "../../agent/fleet/use-cases.ts";
import { createHotkeyFile } from "../../common/hotkey.ts";
import { startValidatorListener } from "./api-servers.ts";
import { OTHER_SSH_KEY, SSH_KEY } from "./builders.ts";
import { cli, type CliRun, type CliWorld } from "./run-cli.ts";

/** Everything is gone when the test is over. */
export async function startValidatorCli(prepared: Partial<UseCases>) {
  const dir = mkdtempSync(join(tmpdir(), "lium-cli-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const files = { hotkey: join(dir, "hotkey.json"), key: join(dir, "id.pub"), otherKey: join(dir, "other.pub") };
  const caller = await createHotkeyFile(files.hotkey);
  writeFileSync(files.key, `# mine\n${SSH_KEY} me@here\n`);
  writeFileSync(files.otherKey, OTHER_SSH_KEY);
  const listener = await startValidatorListener(prepared, { caller });
  onTestFinished(() => listener[Symbol.asyncDispose]());
  const who = ["--url", listener.url, "--hotkey-file", files.hotkey];
  const run = (args: readonly string[], world?: CliWorld): Promise<CliRun> => {
    const [command = "", ...rest] = args;
    const words = command.split(" ");
    return cli(["as-validator", ...words, ...who, ...rest], world);
  };
  return { ...listener, files, caller, run };
}
