/**
 * What the pod kit is made of: programs that the host's distribution packages, the libraries that these load, our scripts.
 * Everything is read into memory, so that the kit's version can be a hash of its content.
 */
import { constants } from "node:fs";
import { access, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { exec } from "../../common/exec.ts";
import { AppError } from "../../protocol/errors.ts";

export interface KitSources {
  /** By the name in the kit. */
  readonly programs: ReadonlyMap<string, Buffer>;
  /** By the name that programs ask for. */
  readonly libraries: ReadonlyMap<string, Buffer>;
  /** Which of the libraries is the loader. */
  readonly loader: string;
  readonly scripts: ReadonlyMap<string, Buffer>;
}

interface Program {
  readonly name: string;
  readonly packageName: string;
  /** Where releases of Debian and Ubuntu put it. */
  readonly paths: readonly string[];
  /** A static program brings no libraries and must need none. */
  readonly static?: true;
}

export const PROGRAMS: readonly Program[] = [
  { name: "busybox", packageName: "busybox-static", paths: ["/bin/busybox", "/usr/bin/busybox"], static: true },
  { name: "dropbear", packageName: "dropbear-bin", paths: ["/usr/sbin/dropbear"] },
  { name: "sftp-server", packageName: "openssh-sftp-server", paths: ["/usr/lib/openssh/sftp-server"] },
  { name: "scp", packageName: "openssh-client", paths: ["/usr/bin/scp"] },
  { name: "setpriv", packageName: "util-linux", paths: ["/usr/bin/setpriv", "/bin/setpriv"] },
  { name: "env", packageName: "coreutils", paths: ["/usr/bin/env"] },
];

/** Gives copies of programs another loader and library folder. */
export const PATCHELF_PATH = "/usr/bin/patchelf";

const SCRIPTS = ["init", "heal", "devices", "session", "server", "environment", "user"];
/** Part of libc.so.6 itself since glibc 2.34; before that, loaded by name when somebody looks up a user or a host. */
const LOOKUP_LIBRARIES = ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"];
const TRACE_MS = 10_000;

/** Rejects with `kit-unavailable`; its details list the packages that are missing. */
export async function readKitSources(signal: AbortSignal): Promise<KitSources> {
  const paths = await findPrograms(PROGRAMS, signal);
  const libraries = new Map<string, string>();
  for (const traced of await Promise.all([...paths.values()].map((path) => loadedBy(path, signal)))) {
    for (const [name, path] of traced) libraries.set(name, path);
  }
  const loader = [...libraries.keys()].find((name) => name.startsWith("ld-"));
  const libc = libraries.get("libc.so.6");
  if (loader === undefined || libc === undefined) {
    throw new AppError("kit-unavailable", {
      message: "The programs of the pod kit do not use this system's C library.",
    });
  }
  for (const name of LOOKUP_LIBRARIES) {
    const path = join(dirname(libc), name);
    if (await isThere(path)) libraries.set(name, path);
  }
  return { programs: await readAll(paths), libraries: await readAll(libraries), loader, scripts: await readScripts() };
}

/** Where each program is, by its name in the kit. Rejects with `kit-unavailable`; its details list every package that is missing. */
export async function findPrograms(programs: readonly Program[], signal: AbortSignal): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const missing: string[] = [];
  for (const program of programs) {
    const path = await firstThere(program.paths);
    if (path !== undefined && !(program.static && (await loadedBy(path, signal)).size > 0))
      found.set(program.name, path);
    else missing.push(program.packageName);
  }
  if (!(await isThere(PATCHELF_PATH))) missing.push("patchelf");
  if (missing.length === 0) return found;
  throw new AppError("kit-unavailable", {
    message: `The pod kit needs packages that are not installed: ${missing.join(", ")}.`,
    details: { missing },
  });
}

/** The libraries that a program would load, by name, the loader among them; none for a static program. */
async function loadedBy(path: string, signal: AbortSignal): Promise<Map<string, string>> {
  const bytes = await readFile(path);
  if (!bytes.includes("\0libc.so.6\0")) return new Map();
  // This is all that ldd does: the loader prints what it would load, and the program itself does not run.
  const env = { LD_TRACE_LOADED_OBJECTS: "1" };
  const { stdout } = await exec(path, [], { signal, timeoutMs: TRACE_MS, env });
  if (stdout.includes("not found")) {
    throw new AppError("kit-unavailable", { message: `${path} lacks a library.`, details: { loads: stdout } });
  }
  const lines = stdout.matchAll(/^\s*(?:(\S+) => )?(\/\S+) \(0x/gm);
  return new Map([...lines].map(([, name, file = ""]) => [name ?? basename(file), file]));
}

/** The build puts them beside this file in dist/ too. */
async function readScripts(): Promise<Map<string, Buffer>> {
  const folder = join(import.meta.dirname, "kit");
  if (!(await isThere(folder))) throw new AppError("kit-unavailable", { message: `${folder} is missing.` });
  return readAll(new Map(SCRIPTS.map((name) => [name, join(folder, `${name}.sh`)])));
}

async function readAll(paths: ReadonlyMap<string, string>): Promise<Map<string, Buffer>> {
  const read = [...paths].map(async ([name, path]): Promise<[string, Buffer]> => [name, await readFile(path)]);
  return new Map(await Promise.all(read));
}

async function firstThere(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await isThere(path)) return path;
  return undefined;
}

async function isThere(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}
