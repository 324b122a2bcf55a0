/** A daemon starts with what its file, the environment and the defaults say, or says which key is wrong. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";

import { loadConfig } from "../../../common/config-file.ts";
import { AppError } from "../../../protocol/errors.ts";

const schema = z.strictObject({
  name: z.string().default("nobody"),
  link: z
    .strictObject({
      port: z.int().min(1).max(65_535).default(8443),
      idleTimeoutMs: z.number().default(30_000),
      tls: z.boolean().default(true),
      host: z.string().nullable().default(null),
    })
    .prefault({}),
  hotkeys: z.array(z.string()).default([]),
});

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lium-config-"));
  file = join(folder, "agent.toml");
});
afterEach(() => rm(folder, { recursive: true }));

function load(env: Record<string, string> = {}, optional = false) {
  return loadConfig({ file, optional, schema, envPrefix: "LIUM_T_", otherVariables: ["LIUM_T_CONFIG"], env });
}

async function refusal(loading: Promise<unknown>): Promise<AppError> {
  const error: unknown = await loading.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AppError);
  expect(error).toMatchObject({ code: "config-invalid" });
  return error as AppError;
}

describe("a configuration", () => {
  it("is what the file says, and the defaults where it says nothing", async () => {
    await writeFile(file, 'name = "gpu farm"\nhotkeys = ["a"]\n[link]\nport = 9000\n');

    expect(await load()).toEqual({
      name: "gpu farm",
      hotkeys: ["a"],
      link: { port: 9000, idleTimeoutMs: 30_000, tls: true, host: null },
    });
  });

  it("is all defaults when an optional file is missing", async () => {
    expect(await load({}, true)).toMatchObject({ name: "nobody", link: { port: 8443 } });
  });

  it("is refused when a required file is missing", async () => {
    expect((await refusal(load())).message).toBe(`${file} cannot be read`);
  });

  it("is refused when the file is there but cannot be read, optional or not", async () => {
    file = folder;

    expect((await refusal(load({}, true))).message).toBe(`${folder} cannot be read`);
  });

  it("takes single values from the environment before the file's", async () => {
    await writeFile(file, "[link]\nport = 9000\n");
    const env = {
      LIUM_T_NAME: "true",
      LIUM_T_LINK_PORT: "9001",
      LIUM_T_LINK_IDLE_TIMEOUT_MS: "2.5",
      LIUM_T_LINK_TLS: "false",
      LIUM_T_LINK_HOST: "::1",
      LIUM_T_CONFIG: "elsewhere",
      PATH: "/bin",
    };

    expect(await load(env)).toMatchObject({
      name: "true",
      link: { port: 9001, idleTimeoutMs: 2.5, tls: false, host: "::1" },
    });
  });

  it("is frozen through and through", async () => {
    const config = await load({}, true);

    expect(() => Object.assign(config.link, { port: 1 })).toThrow(TypeError);
    expect(() => config.hotkeys.push("x")).toThrow(TypeError);
  });

  it.each([
    ["an unknown key", "nmae = 1", "nmae: unknown key"],
    ["an unknown key in a table", "[link]\nprot = 1", "link.prot: unknown key"],
    ["a bad value", '[link]\nport = "many"', "link.port: Invalid input: expected number, received string"],
    ["a value in the place of a table", "link = 5", "link: Invalid input: expected object, received number"],
  ])("%s is refused, naming file and key", async (_what, text, problem) => {
    await writeFile(file, text);

    expect((await refusal(load())).message).toBe(`${file}: ${problem}`);
  });

  it("all problems are told at once", async () => {
    await writeFile(file, "name = 1\nextra = 2\n[link]\nport = 0\n");

    const { details } = await refusal(load());

    expect(details["problems"]).toHaveLength(3);
  });

  it("a file that is not TOML is refused with the place, without showing the line", async () => {
    await writeFile(file, 'name = "fine"\nsecret = "hunter2 unfinished\n');

    const error = await refusal(load());

    expect(error.message).toMatch(/agent\.toml: line 2, column \d+: Invalid TOML document/);
    expect(JSON.stringify([error.message, error.details])).not.toContain("hunter2");
  });

  it("a bad value in a variable is refused, naming the variable and not repeating the value", async () => {
    const { message } = await refusal(load({ LIUM_T_LINK_PORT: "hunter2" }, true));

    expect(message).toContain("LIUM_T_LINK_PORT: Invalid input: expected number, received string");
    expect(message).not.toContain("hunter2");
  });

  it.each(["LIUM_T_LINK_PROT", "LIUM_T_HOTKEYS", "LIUM_T_LINK"])("the variable %s is refused", async (variable) => {
    expect((await refusal(load({ [variable]: "1" }, true))).message).toBe(
      `environment: ${variable}: sets no key of the configuration`,
    );
  });

  it("an override of a table that the file spoils does not hide the problem", async () => {
    await writeFile(file, "link = 5");

    expect((await refusal(load({ LIUM_T_LINK_PORT: "1" }))).message).toContain("link: Invalid input");
  });
});
