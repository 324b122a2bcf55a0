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

/** Splits frames that arrive in pieces of any size into lines, in the order in which each stream completes them. */
export async function* linesOf(chunks: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<LogLine> {
  const pending = { stdout: "", stderr: "" };
  for await (const { stream, text } of framesOf(chunks)) {
    const begun = pending[stream];
    const lines = (begun === "" ? text : begun + text.replace(TIME, "")).split("\n");
    const rest = lines.pop() ?? "";
    for (const line of lines) yield toLine(stream, line);
    if (rest.length > MAX_LINE) yield toLine(stream, rest);
    pending[stream] = rest.length > MAX_LINE ? "" : rest;
  }
  for (const stream of ["stdout", "stderr"] as const) if (pending[stream] !== "") yield toLine(stream, pending[stream]);
}

async function* framesOf(
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
): AsyncGenerator<{ stream: LogLine["stream"]; text: string }> {
  let buffer: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    buffer = buffer.length === 0 ? chunk : Buffer.concat([buffer, chunk]);
    while (buffer.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + buffer.readUInt32BE(4);
      if (end > MAX_FRAME) throw new AppError("engine-error", { message: "The engine's log is not in its format." });
      if (buffer.length < end) break;
      const stream = buffer[0] === STDERR ? "stderr" : "stdout";
      yield { stream, text: buffer.toString("utf8", HEADER_BYTES, end) };
      buffer = buffer.subarray(end);
    }
  }
}

function toLine(stream: LogLine["stream"], text: string): LogLine {
  const space = text.indexOf(" ");
  return { at: text.slice(0, space), stream, line: text.slice(space + 1, space + 1 + MAX_LINE) };
}
