/**
 * Packages of Debian and Ubuntu. Sources are the machine's own: no mirror is named here.
 */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { exec } from "../common/exec.ts";
import { AppError } from "../protocol/errors.ts";
import type { Step } from "./step.ts";

const APT_DEADLINE_MS = 15 * 60_000;
const QUERY_DEADLINE_MS = 30_000;
const SOURCES_DIR = "/etc/apt/sources.list.d";

/** A step that installs what is missing of `packages`; an entry may name a release: `docker.io/trixie`. */
export function packagesStep(name: string, packages: readonly string[], signal: AbortSignal): Step {
  return {
    name,
    check: async () => (await missing(packages, signal)).length === 0,
    apply: async () => {
      await apt(["update"], signal);
      await apt(["install", "--yes", "--no-install-recommends", ...(await missing(packages, signal))], signal);
    },
  };
}

async function missing(packages: readonly string[], signal: AbortSignal): Promise<string[]> {
  const installed = await Promise.all(packages.map((entry) => isInstalled(entry.split("/")[0] ?? entry, signal)));
  return packages.filter((_, index) => installed[index] !== true);
}

async function isInstalled(name: string, signal: AbortSignal): Promise<boolean> {
  const { stdout, exitCode } = await exec("dpkg-query", ["--show", "--showformat=${db:Status-Status}", name], {
    signal,
    timeoutMs: QUERY_DEADLINE_MS,
    allowExitCodes: [0, 1],
  });
  return exitCode === 0 && stdout === "installed";
}

async function apt(args: readonly string[], signal: AbortSignal): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new AppError("command-failed", { message: `Run as root, or install by hand: apt-get ${args.join(" ")}` });
  }
  const env = {
    DEBIAN_FRONTEND: "noninteractive",
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  };
  await exec("apt-get", ["--quiet", ...args], { signal, timeoutMs: APT_DEADLINE_MS, env, maxOutputBytes: 8 * 2 ** 20 });
}

/**
 * Adds the source of a newer Debian release beside the machine's own, derived from it, at a priority so low that only
 * packages asked for by release come from there.
 */
export function newerDebianStep(own: string, newer: string): Step {
  const sourcePath = join(SOURCES_DIR, `lium-${newer}.sources`);
  const pinPath = `/etc/apt/preferences.d/lium-${newer}`;
  const pin = `Package: *\nPin: release n=${newer}\nPin-Priority: 100\n`;
  return {
    name: `Adding ${newer} as a low-priority source`,
    check: async () => (await readFile(pinPath, "utf8").catch(() => "")) === pin,
    apply: async () => {
      const sources = (await readSources()).filter(({ suites }) => suites.includes(own));
      if (sources.length === 0) throw noSource(own);
      await writeFile(sourcePath, `${sources.map((source) => stanza(source, [newer])).join("\n\n")}\n`);
      await writeFile(pinPath, pin);
    },
  };
}

interface Source {
  readonly uris: string;
  readonly suites: readonly string[];
  readonly components: string;
  readonly signedBy: string | undefined;
}

/** In apt's newer format, for some suites of the source or for another. */
function stanza({ uris, components, signedBy }: Source, suites: readonly string[]): string {
  const lines = ["Types: deb", `URIs: ${uris}`, `Suites: ${suites.join(" ")}`, `Components: ${components}`];
  return [...lines, ...(signedBy === undefined ? [] : [`Signed-By: ${signedBy}`])].join("\n");
}

/**
 * What this machine's apt is told about a release, its updates and security fixes included, as one file in apt's newer
 * format. Throws `command-failed` when it is told nothing.
 */
export async function releaseSources(release: string): Promise<string> {
  const belongs = (suite: string): boolean => suite === release || suite.startsWith(`${release}-`);
  const own = (await readSources()).filter(({ suites }) => suites.some(belongs));
  if (own.length === 0) throw noSource(release);
  return `${own.map((source) => stanza(source, source.suites.filter(belongs))).join("\n\n")}\n`;
}

async function readSources(): Promise<Source[]> {
  const names = (await readdir(SOURCES_DIR).catch(() => [])).filter((name) => /\.(sources|list)$/.test(name));
  const paths = ["/etc/apt/sources.list", ...names.map((name) => join(SOURCES_DIR, name))];
  const texts = await Promise.all(paths.map((path) => readFile(path, "utf8").catch(() => "")));
  return texts.flatMap(parseSources);
}

function noSource(release: string): AppError {
  return new AppError("command-failed", { message: `No apt source for ${release} was found on this machine.` });
}

/** The sources in a file of either of apt's two formats; anything else in it is passed over. */
export function parseSources(text: string): Source[] {
  return text
    .split(/\n\s*\n/)
    .flatMap((block) => (/^URIs:/m.test(block) ? [parseStanza(block)] : block.split("\n").flatMap(parseLine)));
}

function parseStanza(block: string): Source {
  const field = (name: string): string => new RegExp(`^${name}:[ \t]*(.*)$`, "m").exec(block)?.[1]?.trim() ?? "";
  const signedBy = field("Signed-By");
  return {
    uris: field("URIs"),
    components: field("Components"),
    suites: field("Suites").split(/\s+/),
    signedBy: signedBy === "" ? undefined : signedBy,
  };
}

function parseLine(line: string): Source[] {
  const { options, uri, suite, components } =
    /^deb\s+(?:\[(?<options>[^\]]*)\]\s+)?(?<uri>\S+)\s+(?<suite>\S+)\s+(?<components>.+)$/.exec(line.trim())?.groups ??
    {};
  if (uri === undefined || suite === undefined || components === undefined) return [];
  const signedBy = /signed-by=(\S+)/.exec(options ?? "")?.[1];
  return [{ uris: uri, components, suites: [suite], signedBy }];
}
