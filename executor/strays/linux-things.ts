/**
 * The HostThings port over this machine: mountinfo, /sys/block, nft, umount and losetup. A program that is missing has
 * nothing to show.
 */
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { exec } from "../../common/exec.ts";
import { AppError } from "../../protocol/errors.ts";
import { PodId } from "../../protocol/ids.ts";
import type { HostFolder, HostLoop, HostMount, HostThings } from "./host-things.ts";
import { parseMounts } from "./mount-table.ts";

const TOOL_MS = 10_000;

export function linuxThings(): HostThings {
  return {
    list: async (roots, signal) => {
      const [mounts, loops, tables, folders] = await Promise.all([
        readMounts(),
        readLoops(),
        readTables(signal),
        Promise.all(roots.map(readFolders)),
      ]);
      return { mounts, loops, tables, folders: folders.flat() };
    },
    removeFolder,
    unmount: async (path, signal) => {
      await exec("umount", ["--no-canonicalize", "--", path], { signal, timeoutMs: TOOL_MS });
    },
    detachLoop: async (path, signal) => {
      await exec("losetup", ["--detach", path], { signal, timeoutMs: TOOL_MS });
    },
  };
}

async function readMounts(): Promise<HostMount[]> {
  return parseMounts(await readFile("/proc/self/mountinfo", "utf8"));
}

async function readLoops(): Promise<HostLoop[]> {
  const names = (await namesIn("/sys/block")).filter((name) => /^loop\d+$/.test(name));
  const loops = await Promise.all(
    names.map(async (name) => {
      const dir = join("/sys/block", name);
      const [file, device] = await Promise.all([
        readIfThere(join(dir, "loop/backing_file")),
        readIfThere(join(dir, "dev")),
      ]);
      // A device without a file has no such entry.
      if (file === undefined || device === undefined) return undefined;
      return { path: join("/dev", name), device: device.trim(), file: file.trimEnd().replace(/ \(deleted\)$/, "") };
    }),
  );
  return loops.filter((loop) => loop !== undefined);
}

const Tables = z.object({ nftables: z.array(z.object({ table: z.object({ name: z.string() }).optional() })) });

async function readTables(signal: AbortSignal): Promise<string[]> {
  try {
    const { stdout } = await exec("nft", ["-j", "list", "tables"], { signal, timeoutMs: TOOL_MS });
    return Tables.parse(JSON.parse(stdout)).nftables.flatMap(({ table }) => table?.name ?? []);
  } catch {
    signal.throwIfAborted();
    // Tables are only reported, so a machine without nft has none to report.
    return [];
  }
}

async function readFolders(root: string): Promise<HostFolder[]> {
  const names = (await namesIn(root)).filter((name) => PodId.safeParse(name).success);
  const folders = await Promise.all(
    names.map(async (name) => {
      const path = join(root, name);
      const info = await orUndefined(stat(path));
      if (info?.isDirectory() !== true) return undefined;
      return { path, createdAtMs: info.birthtimeMs > 0 ? info.birthtimeMs : undefined };
    }),
  );
  return folders.filter((folder) => folder !== undefined);
}

async function removeFolder(path: string): Promise<void> {
  const inside = (await readMounts()).find((mount) => mount.path === path || mount.path.startsWith(`${path}/`));
  if (inside !== undefined) {
    throw new AppError("already-exists", { message: `${inside.path} is mounted, so ${path} is left alone.` });
  }
  await rm(path, { recursive: true, force: true });
}

async function namesIn(path: string): Promise<string[]> {
  return (await orUndefined(readdir(path))) ?? [];
}

function readIfThere(path: string): Promise<string | undefined> {
  return orUndefined(readFile(path, "utf8"));
}

async function orUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
