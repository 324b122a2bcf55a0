/**
 * The VolumeTools port over this machine: e2fsprogs, util-linux and coreutils. Every program has a time limit.
 */
import { access, open, readdir, readFile, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";

import { syncPath } from "../../../common/atomic-file.ts";
import { exec, type ExecResult } from "../../../common/exec.ts";
import { AppError } from "../../../protocol/errors.ts";
import { mountAt, parseMounts } from "../mounts.ts";
import type { CopyFrozen, VolumeTools } from "./tools.ts";

const TOOL_MS = 30_000;
/** Of work that grows with the size of a volume. */
const LONG_MS = 30 * 60_000;
const COPY_MS = 12 * 3_600_000;
/** Beyond its limit, a copy is given this long to be ended and the thaw to be done. */
const THAW_MS = 10_000;
const MOUNT_OPTIONS = "nodev,nosuid,errors=remount-ro";
/** e2fsck: nothing to repair; repaired; repaired, and a mounted file system would have to be mounted anew. */
const SOUND = [0, 1, 2, 3];
const E2FSCK_DAMAGED = 4;
const TIMED_OUT = 124;

/**
 * Writing is held up from the freeze to the thaw, whatever becomes of the copy and whether or not the one who asked still
 * lives. The words come as arguments, so nothing in a path is a word of the shell.
 */
const COPY_FROZEN = `
fsfreeze --freeze "$1" || exit 1
trap 'kill $! ; fsfreeze --unfreeze "$1"' EXIT
trap 'exit 1' TERM INT HUP
timeout --foreground --kill-after=1 "$4" cp --sparse=always --reflink=auto -- "$2" "$3" &
wait $!
`;

export function linuxTools(): VolumeTools {
  return {
    format,
    reserve,
    check: (file, signal) => check(file, signal),
    mountAt: async (path) => mountAt(path, parseMounts(await readFile("/proc/self/mountinfo", "utf8"))),
    loopOf,
    mount: async (source, path, signal) => {
      const loop = source.startsWith("/dev/") ? "" : "loop,";
      await run("mount", ["-t", "ext4", "-o", loop + MOUNT_OPTIONS, "--", source, path], signal);
    },
    unmount,
    fillMounted: async (loop, signal) => {
      await run("losetup", ["--set-capacity", loop], signal);
      await run("resize2fs", [loop], signal, LONG_MS);
    },
    fillImage,
    setImmutable: async (path, immutable, signal) => {
      const allowExitCodes = [0, 1];
      await exec("chattr", [immutable ? "+i" : "-i", path], { signal, timeoutMs: TOOL_MS, allowExitCodes });
    },
    copy: async (from, to, signal) => {
      await run("cp", ["--sparse=always", "--reflink=auto", "--", from, to], signal, COPY_MS);
    },
    copyFrozen,
    thaw: async (mountpoint, signal) => {
      // Refused for what is not frozen.
      await exec("fsfreeze", ["--unfreeze", mountpoint], { signal, timeoutMs: TOOL_MS, allowExitCodes: [0, 1] });
    },
    overwrite: async (file, signal) => {
      await run("shred", ["--iterations=0", "--zero", "--", file], signal, COPY_MS);
    },
    freeBytes: async (dir) => {
      const { bavail, bsize } = await statfs(dir);
      return bavail * bsize;
    },
    usedBytes,
  };
}

async function format(
  file: string,
  { bytes, mkfs }: { readonly bytes: number; readonly mkfs: readonly string[] },
  signal: AbortSignal,
): Promise<void> {
  const handle = await open(file, "a", 0o600);
  try {
    // A file of which no block lies on the disk reads as zeros from end to end: this is the proof that nothing is in it.
    const { blocks } = await handle.stat();
    if (blocks !== 0) {
      throw new AppError("volume-not-empty", { message: `${file} holds data, so it is not formatted.` });
    }
    await handle.truncate(bytes);
  } finally {
    await handle.close();
  }
  await run("mkfs.ext4", [...mkfs, file], signal, LONG_MS);
}

async function reserve(file: string, bytes: number, signal: AbortSignal): Promise<void> {
  try {
    await run("fallocate", ["--length", String(bytes), "--", file], signal, LONG_MS);
  } catch (cause) {
    if (!(cause instanceof AppError) || !String(cause.details["stderr"]).includes("No space left")) throw cause;
    const message = `The disk of this host has no room for a volume of ${bytes} bytes.`;
    throw new AppError("host-full", { message, details: { resource: "diskBytes", asked: bytes }, cause });
  }
}

async function check(file: string, signal: AbortSignal, ...more: readonly string[]): Promise<void> {
  const allowExitCodes = [...SOUND, ...Array.from({ length: 12 }, (_, at) => E2FSCK_DAMAGED + at)];
  const { exitCode, stdout } = await exec("e2fsck", ["-p", ...more, file], {
    signal,
    timeoutMs: LONG_MS,
    allowExitCodes,
  });
  if (SOUND.includes(exitCode)) return;
  throw new AppError("volume-damaged", {
    message: "The volume's file system cannot be repaired without a decision.",
    details: { file, e2fsck: stdout.slice(-1_000) },
  });
}

/** What resize2fs changes is noted beside the image before, so that a crash in the middle can be taken back. */
async function fillImage(file: string, signal: AbortSignal): Promise<void> {
  const undo = `${file}.undo`;
  if (await isThere(undo)) {
    // A note that ends in the middle is refused: then nothing was changed yet, which the check below confirms.
    await exec("e2undo", [undo, file], { signal, timeoutMs: LONG_MS, allowExitCodes: [0, 1] });
    await check(file, signal, "-f");
    await rm(undo);
  }
  await check(file, signal, "-f");
  await run("resize2fs", ["-z", undo, file], signal, LONG_MS);
  await syncPath(file);
  await rm(undo, { force: true });
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** By the kernel's own list, which also names devices whose mount only another process sees. */
async function loopOf(file: string): Promise<{ path: string; device: string } | undefined> {
  const names = (await readdir("/sys/block")).filter((name) => /^loop\d+$/.test(name));
  for (const name of names) {
    const dir = join("/sys/block", name);
    const backing = await readFile(join(dir, "loop/backing_file"), "utf8").catch(() => undefined);
    if (backing?.trimEnd() !== file) continue;
    const device = await readFile(join(dir, "dev"), "utf8");
    return { path: join("/dev", name), device: device.trim() };
  }
  return undefined;
}

async function unmount(path: string, signal: AbortSignal): Promise<void> {
  try {
    await run("umount", ["--", path], signal);
  } catch (cause) {
    if (!(cause instanceof AppError) || !String(cause.details["stderr"]).includes("target is busy")) throw cause;
    throw new AppError("volume-in-use", { message: `Something on this host works in ${path}.`, cause });
  }
}

async function usedBytes(file: string, mountpoint: string | undefined, signal: AbortSignal): Promise<number> {
  if (mountpoint !== undefined) {
    const { blocks, bfree, bsize } = await statfs(mountpoint);
    return (blocks - bfree) * bsize;
  }
  const { stdout } = await run("dumpe2fs", ["-h", file], signal);
  const field = (name: string): number => Number(new RegExp(`^${name}: +(\\d+)$`, "m").exec(stdout)?.[1]);
  const bytes = (field("Block count") - field("Free blocks")) * field("Block size");
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new AppError("volume-damaged", { message: "The volume's file system does not say how full it is." });
}

async function copyFrozen(mountpoint: string, { from, to, freezeMs }: CopyFrozen, signal: AbortSignal): Promise<void> {
  const limitSeconds = Math.max(1, Math.ceil(freezeMs / 1000));
  const args = ["-c", COPY_FROZEN, "sh", mountpoint, from, to, String(limitSeconds)];
  const timeoutMs = limitSeconds * 1000 + THAW_MS;
  const { exitCode } = await exec("sh", args, { signal, timeoutMs, allowExitCodes: [0, TIMED_OUT, 137] });
  if (exitCode === 0) return;
  const message = `Writing would have been held up for longer than ${limitSeconds} s, so no snapshot was taken.`;
  throw new AppError("deadline-exceeded", { message, details: { bytes: (await stat(from)).size } });
}

function run(file: string, args: readonly string[], signal: AbortSignal, timeoutMs = TOOL_MS): Promise<ExecResult> {
  return exec(file, args, { signal, timeoutMs });
}
