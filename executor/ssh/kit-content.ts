/**
 * Every file of the pod kit, in memory, and the version that follows from them. Pure.
 */
import { createHash } from "node:crypto";

import { AppError } from "../../protocol/errors.ts";
import type { KitSources } from "./kit-sources.ts";
import { replaceText } from "./replace-text.ts";

export interface KitFile {
  readonly mode: number;
  readonly content: Buffer;
}

/** By path in the kit; the order is always the same. */
export type KitFiles = ReadonlyMap<string, KitFile>;

/** As short as this because paths below it replace `/etc/passwd` and `/etc/shells` inside a compiled library. */
export const KIT = "/.lium/k";
/** Writable in every pod, also where the image is read-only. */
export const RUN = "/.lium/run";
/** What patchelf makes of every program; LOADER stands for the loader's name. */
export const PATCHELF_ARGS = ["--set-interpreter", `${KIT}/lib/LOADER`, "--force-rpath", "--set-rpath", `${KIT}/lib`];

type Words = readonly [from: string, to: string];

/**
 * The libraries' words for account files become the kit's own files: an image may have no /etc/passwd, or one that names a
 * shell which does not exist, and it is not ours to change. Each must be found in one of these libraries at least.
 */
const ACCOUNT_LIBRARIES = ["lib/libc.so.6", "lib/libnss_files.so.2"];
const ACCOUNT_WORDS: readonly Words[] = [
  ["/etc/passwd", `${KIT}/pw`],
  ["/etc/shells", `${KIT}/sh`],
  ["/etc/nsswitch.conf", `${KIT}/nss`],
];

/** Improvements, which a dropbear without these words does not need. */
const SERVER_WORDS: readonly Words[] = [
  // Sockets of forwarded agents then work on images without a writable /tmp.
  ["/tmp/dropbear-%.8x", `${RUN}/a%.8x`],
  // One of ten files stirred into its random numbers beside the kernel's own: listing sockets takes 5 ms, twice a login.
  ["/proc/net/tcp", "/proc/uptime"],
];

const ROOT = `root:x:0:0:root:/.lium/pod:${KIT}/session\n`;
const LOOKUPS = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n";

/** Throws `kit-unavailable` when the C library is one that we do not know how to turn to the kit's accounts. */
export function kitFiles({ programs, libraries, scripts }: KitSources): KitFiles {
  const files = new Map<string, KitFile>();
  for (const [name, content] of programs) files.set(`bin/${name}`, { mode: 0o755, content });
  for (const [name, content] of libraries) files.set(`lib/${name}`, { mode: 0o755, content });
  for (const [name, content] of scripts) files.set(name, { mode: 0o755, content });
  for (const [name, text] of [
    ["pw", ROOT],
    ["sh", `${KIT}/session\n`],
    ["nss", LOOKUPS],
  ] as const) {
    files.set(name, { mode: 0o644, content: Buffer.from(text) });
  }

  for (const words of ACCOUNT_WORDS) {
    const found = ACCOUNT_LIBRARIES.filter((path) => rewrite(files, path, words));
    if (found.length > 0) continue;
    throw new AppError("kit-unavailable", { message: `This system's C library does not speak of ${words[0]}.` });
  }
  for (const words of SERVER_WORDS) rewrite(files, "bin/dropbear", words);
  return files;
}

/** Says whether the file is there and held the words. */
function rewrite(files: Map<string, KitFile>, path: string, [from, to]: Words): boolean {
  const file = files.get(path);
  const content = file && replaceText(file.content, from, to);
  if (file === undefined || content === undefined) return false;
  files.set(path, { ...file, content });
  return true;
}

/** A short hash over all that makes the kit. */
export function kitVersion(files: KitFiles): string {
  const hash = createHash("sha256").update(PATCHELF_ARGS.join("\0"));
  for (const [path, { mode, content }] of files) hash.update(`\0${path}\0${mode}\0${content.length}\0`).update(content);
  return hash.digest("hex").slice(0, 16);
}
