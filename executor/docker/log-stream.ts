/**
 * The engine's log format, as lines. Each frame is 8 bytes (kind, three zeros, length as big-endian 32 bits) and its text;
 * each line begins with its time. Lines are cut off at MAX_LINE so that a pod cannot fill our memory with one.
 */
import type { LogLine } from "../../protocol/pod.ts";

const HEADER_BYTES = 8;
const STDERR = 2;
const MAX_LINE = 65_536;

/** Splits frames that arrive in pieces of any size into lines, in the order in which each stream completes them. */
export async function* linesOf(chunks: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<LogLine> {
  const pending = { stdout: "", stderr: "" };
  for await (const { stream, text } of framesOf(chunks)) {
    const lines = (pending[stream] + text).split("\n");
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
