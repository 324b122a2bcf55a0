/** docs/validator-api.md: every example of it works against a whole provider, in its order, and gives what it shows. */
import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, expect, it } from "vitest";

import { exec } from "../../../common/exec.ts";
import { devHotkey, initHotkeys } from "../../../common/hotkey.ts";
import { busyboxImage } from "../../support/images.ts";
import { type Live, PORTS, startLive } from "../../support/live.ts";

const ROOT = join(import.meta.dirname, "../../..");
const DOC = readFileSync(join(ROOT, "docs/validator-api.md"), "utf8");
/** Known to everybody, of //Alice. */
const SEED = "0xabf8e5bdbe30c65656c0a3cbd181ff8a56294a69dfedd27982aace4a76909115";

interface Example {
  readonly language: string;
  readonly code: string;
  /** What stands below it, where something does. */
  readonly shows: Record<string, unknown> | undefined;
}

/** The blocks of code, each with the JSON that follows it. */
function examplesOf(text: string): Example[] {
  const blocks = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = "", code = ""]) => ({
    language,
    code,
  }));
  return blocks.flatMap(({ language, code }, index) => {
    if (language === "json") return [];
    const next = blocks[index + 1];
    return [{ language, code, shows: next?.language === "json" ? JSON.parse(next.code) : undefined }];
  });
}

let live: Live;
let dir: string;
let env: Record<string, string>;
beforeAll(async () => {
  live = await startLive();
  dir = mkdtempSync(join(tmpdir(), "lium-docs-"));
  await initHotkeys();
  const { ss58 } = devHotkey("//Alice", "ed25519");
  const ed25519 = join(dir, "ed25519.json");
  writeFileSync(ed25519, JSON.stringify({ ss58Address: ss58, secretSeed: SEED, cryptoType: 0 }));
  const { agent, agentDir, validatorUrl, validatorKeyFile } = live.stack;
  appendFileSync(join(agentDir, "agent.toml"), `\n[[validator.allow]]\nhotkey = "${ss58}"\nscheme = "ed25519"\n`);
  await agent.stop();
  await agent.start();
  await live.stack.untilConnected();
  const program = join(dir, "lium-agent");
  writeFileSync(program, `#!/bin/sh\nexec ${process.execPath} ${join(ROOT, "agent/cli/main.ts")} "$@"\n`);
  chmodSync(program, 0o755);
  env = {
    PATH: `${dir}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    AGENT: validatorUrl,
    HOTKEY: validatorKeyFile,
    ED25519_HOTKEY: ed25519,
    IMAGE: await busyboxImage(),
    KEY: `${live.keyFile}.pub`,
    PORT: String(PORTS.first + 11),
  };
}, 180_000);
afterAll(async () => {
  rmSync(dir, { recursive: true });
  await live[Symbol.asyncDispose]();
});

it("docs/validator-api.md holds: every example runs, and shows what it says", async () => {
  const examples = examplesOf(DOC);
  const signal = AbortSignal.timeout(280_000);
  const files = { sh: join(dir, "state.sh"), python: join(dir, "example.py") };
  writeFileSync(files.sh, "");

  for (const { language, code, shows } of examples) {
    if (language === "python") writeFileSync(files.python, code);
    // A shell goes on where the one before it ended: what it set is kept in a file.
    const shell = `set -eu; cd ${dir}; . ${files.sh}; ${code}\nset | grep '^POD=' >${files.sh} || true`;
    const [program, args] = language === "python" ? ["/usr/bin/python3", [files.python]] : ["/bin/sh", ["-c", shell]];
    const { stdout, stderr } = await exec(program, args, { env, signal, timeoutMs: 120_000 });
    const last = `${stdout}${stderr}`.trim().split("\n").at(-1) ?? "";
    expect(shows === undefined ? {} : JSON.parse(last)).toMatchObject(shows ?? {});
  }

  expect(examples.filter(({ language }) => language === "python")).toHaveLength(1);
  expect(examples.length).toBeGreaterThan(8);
}, 300_000);

it("its Python fits on a page", () => {
  const [python] = examplesOf(DOC).filter(({ language }) => language === "python");

  expect(python?.code.trimEnd().split("\n").length).toBeLessThanOrEqual(40);
});
