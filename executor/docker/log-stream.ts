/**
 * The engine's log format, as lines. Each frame is 8 bytes (kind, three zeros, length as big-endian 32 bits) and what was
 * written at one time, which begins with that time; a long line comes in several frames. Lines are cut off at MAX_LINE, and
 * a frame is refused beyond MAX_FRAME, so that a pod cannot fill our memory with one.
 */
import { AppError } from "../../protocol/errors.ts";
import type { LogLine } from "../../protocol/pod.ts";

const HEADER_BYTES = 8;
const STDERR = 2;
const MAX_LINE = 65_536;
/** The engine cuts what is written into pieces of 16 KiB. */
const MAX_FRAME = 2 ** 20;
const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z /;

/** Puts lines together out of pieces of the stream of any size. Throws `engine-error` when it is not in the engine's format. */
export class LineSplitter {
  #buffer: Buffer = Buffer.alloc(0);
  readonly #begun = { stdout: "", stderr: "" };

  /** The lines that this piece completes, in the order in which each stream completes them. */
  push(piece: Buffer): LogLine[] {
    const lines: LogLine[] = [];
    let buffer = this.#buffer.length === 0 ? piece : Buffer.concat([this.#buffer, piece]);
    while (buffer.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + buffer.readUInt32BE(4);
      if (end > MAX_FRAME) throw new AppError("engine-error", { message: "The engine's log is not in its format." });
      if (buffer.length < end) break;
      const stream = buffer[0] === STDERR ? "stderr" : "stdout";
      this.#take(stream, buffer.toString("utf8", HEADER_BYTES, end), lines);
      buffer = buffer.subarray(end);
    }
    this.#buffer = buffer;
    return lines;
  }

  /** What was begun and has no end. */
  rest(): LogLine[] {
    return (["stdout", "stderr"] as const)
      .filter((stream) => this.#begun[stream] !== "")
      .map((stream) => toLine(stream, this.#begun[stream]));
  }

  #take(stream: LogLine["stream"], text: string, lines: LogLine[]): void {
    const begun = this.#begun[stream];
    const parts = (begun === "" ? text : begun + text.replace(TIME, "")).split("\n");
    const rest = parts.pop() ?? "";
    for (const part of parts) lines.push(toLine(stream, part));
    if (rest.length > MAX_LINE) lines.push(toLine(stream, rest));
    this.#begun[stream] = rest.length > MAX_LINE ? "" : rest;
  }
}

function toLine(stream: LogLine["stream"], text: string): LogLine {
  const space = text.indexOf(" ");
  return { at: text.slice(0, space), stream, line: text.slice(space + 1, space + 1 + MAX_LINE) };
}
