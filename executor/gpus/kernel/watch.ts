/**
 * Reads the kernel's log as it grows: /dev/kmsg record by record, or a file line by line. Each record is told once, also over
 * restarts of the executor within one boot. Reads never block, and what comes in a storm is read in turns.
 */
import { constants } from "node:fs";
import { type FileHandle, open, readFile } from "node:fs/promises";

import { z } from "zod";

import { writeFileAtomic } from "../../../common/atomic-file.ts";
import type { Clock } from "../../../common/clock.ts";
import type { Logger } from "../../../common/logger.ts";
import { startTicker, type Ticker } from "../../../common/ticker.ts";
import { type KernelRecord, kernelRecord } from "./record.ts";

export interface KernelLogOptions {
  /** /dev/kmsg, or a file to which lines are added. */
  readonly path: string;
  /** Where it is remembered which record was the last. */
  readonly stateFile: string;
  readonly bootId: string;
}

export interface KernelLogParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly tell: (record: KernelRecord) => void;
}

const EVERY_MS = 1_000;
const SAVE_EVERY_MS = 5_000;
const MOST_IN_A_TURN = 2_000;
/** The kernel gives no record that is longer. */
const RECORD_BYTES = 8_192;
const Position = z.strictObject({ bootId: z.string(), sequence: z.int() });

/** Reads until the signal aborts; what was there before the first start ever is not told. */
export function watchKernelLog(options: KernelLogOptions, parts: KernelLogParts, signal: AbortSignal): Ticker {
  const { clock, log } = parts;
  const reader = new KernelLog(options, parts);
  let told: string | undefined;
  const onError = (error: unknown): void => {
    const message = error instanceof Error ? error.message : String(error);
    if (message !== told) log.warn("the kernel's log cannot be read", { path: options.path, message });
    told = message;
  };
  const run = async (): Promise<void> => {
    await reader.read();
    told = undefined;
  };
  const ticker = startTicker({ clock, everyMs: EVERY_MS, run, onError }, signal);
  return { done: ticker.done.then(() => reader.close()), lastSuccess: undefined };
}

class KernelLog {
  readonly #options: KernelLogOptions;
  readonly #parts: KernelLogParts;
  #handle: FileHandle | undefined;
  #isDevice = false;
  #last = -1;
  #saved = -1;
  #savedAtMs = 0;
  /** Of a file: up to where it was read, and the beginning of a line whose end is still to come. */
  #offset = 0;
  #rest = "";

  constructor(options: KernelLogOptions, parts: KernelLogParts) {
    this.#options = options;
    this.#parts = parts;
  }

  async read(): Promise<void> {
    const handle = (this.#handle ??= await this.#open());
    if (this.#isDevice) await this.#readRecords(handle);
    else await this.#readLines(handle);
    await this.#save(false);
  }

  async close(): Promise<void> {
    await this.#save(true).catch(() => undefined);
    await this.#handle?.close().catch(() => undefined);
  }

  async #open(): Promise<FileHandle> {
    const handle = await open(this.#options.path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await handle.stat();
      this.#isDevice = stat.isCharacterDevice();
      if (!this.#isDevice) this.#offset = stat.size;
      else if (!(await this.#recall())) await this.#skipAll(handle);
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Whether it is known which record of this boot was the last. */
  async #recall(): Promise<boolean> {
    const { stateFile, bootId } = this.#options;
    try {
      const known = Position.parse(JSON.parse(await readFile(stateFile, "utf8")));
      // In another boot everything is new.
      if (known.bootId === bootId) this.#last = this.#saved = known.sequence;
      return true;
    } catch {
      return false;
    }
  }

  async #skipAll(handle: FileHandle): Promise<void> {
    for (;;) {
      const record = await nextRecord(handle);
      if (record === undefined) return;
      if (record !== "gap") this.#last = record.sequence ?? this.#last;
    }
  }

  async #readRecords(handle: FileHandle): Promise<void> {
    for (let count = 0; count < MOST_IN_A_TURN; count += 1) {
      const record = await nextRecord(handle);
      if (record === undefined) return;
      if (record === "gap") {
        this.#parts.log.warn("records of the kernel's log were overwritten before they were read");
        continue;
      }
      const { sequence = -1 } = record;
      if (sequence <= this.#last) continue;
      this.#last = sequence;
      this.#parts.tell(record);
    }
  }

  async #readLines(handle: FileHandle): Promise<void> {
    const { size } = await handle.stat();
    if (size < this.#offset) [this.#offset, this.#rest] = [0, ""];
    const memory = Buffer.alloc(MOST_IN_A_TURN * 64);
    const { bytesRead } = await handle.read(memory, 0, memory.length, this.#offset);
    this.#offset += bytesRead;
    const lines = (this.#rest + memory.toString("utf8", 0, bytesRead)).split("\n");
    this.#rest = (lines.pop() ?? "").slice(-RECORD_BYTES);
    for (const line of lines) if (line !== "") this.#parts.tell(kernelRecord(line));
  }

  async #save(now: boolean): Promise<void> {
    if (!this.#isDevice || this.#last === this.#saved) return;
    const at = this.#parts.clock.monotonic();
    if (!now && at - this.#savedAtMs < SAVE_EVERY_MS) return;
    const { stateFile, bootId } = this.#options;
    await writeFileAtomic(stateFile, JSON.stringify({ bootId, sequence: this.#last }), 0o600);
    [this.#saved, this.#savedAtMs] = [this.#last, at];
  }
}

/** Undefined when there is none now; `gap` where the kernel has thrown away what was next. */
async function nextRecord(handle: FileHandle): Promise<KernelRecord | "gap" | undefined> {
  try {
    const memory = Buffer.alloc(RECORD_BYTES);
    const { bytesRead } = await handle.read(memory, 0, RECORD_BYTES, null);
    return bytesRead === 0 ? undefined : kernelRecord(memory.toString("utf8", 0, bytesRead));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EAGAIN") return undefined;
    if (code === "EPIPE") return "gap";
    throw error;
  }
}
