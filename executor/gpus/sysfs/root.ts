/**
 * Files of sysfs and procfs below a root that a test or an operator may choose. It blocks, and a sick driver blocks it for
 * ever: so only a child that may be killed reads through it.
 */
import { closeSync, openSync, readdirSync, readSync, realpathSync } from "node:fs";
import { join, sep } from "node:path";

import type { Known } from "../../../protocol/accelerator.ts";
import { isUnavailable, knownOr, unavailable } from "../known.ts";

/** No file that is read here is longer. */
const MOST_BYTES = 64 * 1024;

export interface Root {
  /** Trimmed text, as `/sys/...` or `/proc/...` below the root; `not-supported` where no such file is. */
  text(path: string): Known<string>;
  bytes(path: string, length: number): Known<Buffer>;
  /** Sorted names; empty where no such folder is. */
  names(path: string): readonly string[];
  /** Where links end, again below the root; undefined where they end nowhere. */
  real(path: string): string | undefined;
}

export function rootAt(folder: string): Root {
  const base = realpathSync(folder).replace(/\/$/, "");
  const bytes = (path: string, length: number): Known<Buffer> => {
    try {
      return readStart(join(base, path), length);
    } catch (error) {
      return unavailable(reasonOf(error), path);
    }
  };
  return {
    bytes,
    text: (path) => {
      const read = bytes(path, MOST_BYTES);
      return isUnavailable(read) ? read : read.toString("utf8").replaceAll("\0", "").trim();
    },
    names: (path) => {
      try {
        return readdirSync(join(base, path)).toSorted();
      } catch {
        // Whoever asks treats a folder that is not there and one that cannot be read alike: nothing is known of it.
        return [];
      }
    },
    real: (path) => {
      try {
        const found = realpathSync(join(base, path));
        return found.startsWith(base + sep) ? found.slice(base.length) : undefined;
      } catch {
        return undefined;
      }
    },
  };
}

/** A whole number in decimal, or in hex after 0x. */
export function numberAt(root: Root, path: string): Known<number> {
  const text = root.text(path);
  if (isUnavailable(text)) return text;
  return /^-?\d+$|^0x[0-9a-f]+$/i.test(text) ? Number(text) : unavailable("error", `${path}: ${text.slice(0, 60)}`);
}

export function textOr<T>(root: Root, path: string, otherwise: T): string | T {
  return knownOr(root.text(path), otherwise);
}

/** Files of sysfs say their length only by ending. */
function readStart(path: string, length: number): Buffer {
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(length);
    let filled = 0;
    for (let more = -1; more !== 0 && filled < length; filled += more)
      more = readSync(file, buffer, filled, length - filled, null);
    return buffer.subarray(0, filled);
  } finally {
    closeSync(file);
  }
}

function reasonOf(error: unknown): "not-supported" | "no-permission" | "error" {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR" || code === "EOPNOTSUPP") return "not-supported";
  return code === "EACCES" || code === "EPERM" ? "no-permission" : "error";
}
