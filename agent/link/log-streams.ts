/**
 * Logs on their way from one host to those who read them: many streams over one connection, told apart by numbers.
 * The host is told what is read and waits for it; a reader for whom too much waits all the same is let go, so that it
 * holds up neither the connection nor the agent's memory.
 */
import { AppError, isErrorCode } from "../../protocol/errors.ts";
import type { PodId } from "../../protocol/ids.ts";
import { LOG_WINDOW_BYTES, logLineBytes, type ToAgent, type ToExecutor } from "../../protocol/link.ts";
import type { LogLine, LogQuery, Reason } from "../../protocol/pod.ts";

export type StreamFrame = Extract<ToAgent, { type: "item" | "done" | "failed" }>;

/** How much may wait for one reader, and for all readers of one host together. */
const MAX_WAITING_BYTES = 4 * LOG_WINDOW_BYTES;
const MAX_WAITING_FOR_ALL_BYTES = 32 * 2 ** 20;
/** The host is told after so much. */
const TELL_READ_BYTES = LOG_WINDOW_BYTES / 4;
const FORGET_LINES = 4_096;

interface Stream {
  readonly id: number;
  lines: LogLine[];
  /** Of the lines that have come, how many are read. */
  read: number;
  waitingBytes: number;
  /** What the host does not yet know to be read. */
  untoldBytes: number;
  /** Set once nothing more will come. */
  end: { readonly error?: AppError } | undefined;
  wake: () => void;
}

export class LogStreams {
  readonly #send: (frame: ToExecutor) => void;
  readonly #streams = new Map<number, Stream>();
  #lastId = 0;

  constructor(send: (frame: ToExecutor) => void) {
    this.#send = send;
  }

  /** Ends when the host has told all or the signal aborts; throws what the host refused it with. */
  async *open(podId: PodId, query: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine> {
    const id = (this.#lastId += 1);
    const stream: Stream = {
      id,
      lines: [],
      read: 0,
      waitingBytes: 0,
      untoldBytes: 0,
      end: undefined,
      wake: () => undefined,
    };
    this.#streams.set(id, stream);
    const onAbort = (): void => stream.wake();
    signal.addEventListener("abort", onAbort, { once: true });
    this.#send({ type: "logs", id, podId, query });
    try {
      while (!signal.aborted) {
        const line = nextLine(stream);
        if (line !== undefined) {
          this.#note(stream, logLineBytes(line));
          yield line;
        } else if (stream.end !== undefined) {
          if (stream.end.error !== undefined) throw stream.end.error;
          return;
        } else {
          await new Promise<void>((resolve) => (stream.wake = resolve));
        }
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#forget(id);
    }
  }

  take(frame: StreamFrame): void {
    const stream = this.#streams.get(frame.id);
    if (stream === undefined || stream.end !== undefined) return;
    switch (frame.type) {
      case "item":
        this.#add(stream, frame.lines);
        break;
      case "done":
        stream.end = {};
        break;
      case "failed":
        stream.end = { error: errorOf(frame.reason) };
        break;
    }
    stream.wake();
  }

  /** The connection is gone: what has come can still be read, then readers learn of it. */
  close(): void {
    for (const stream of this.#streams.values()) {
      stream.end ??= { error: new AppError("host-unreachable", { message: "The connection to the host was lost." }) };
      stream.wake();
    }
  }

  #note(stream: Stream, bytes: number): void {
    stream.waitingBytes -= bytes;
    stream.untoldBytes += bytes;
    if (stream.untoldBytes < TELL_READ_BYTES || stream.end !== undefined) return;
    this.#send({ type: "read", id: stream.id, bytes: stream.untoldBytes });
    stream.untoldBytes = 0;
  }

  #add(stream: Stream, lines: readonly LogLine[]): void {
    for (const line of lines) {
      stream.lines.push(line);
      stream.waitingBytes += logLineBytes(line);
    }
    if (stream.waitingBytes > MAX_WAITING_BYTES) this.#letGo(stream);
    const all = [...this.#streams.values()];
    if (all.reduce((sum, { waitingBytes }) => sum + waitingBytes, 0) <= MAX_WAITING_FOR_ALL_BYTES) return;
    const slowest = all.reduce((a, b) => (b.waitingBytes > a.waitingBytes ? b : a));
    this.#letGo(slowest);
  }

  /** What waits for this reader is given up, and the reader told so when it reads on. */
  #letGo(stream: Stream): void {
    this.#send({ type: "cancel", id: stream.id });
    stream.lines = [];
    stream.read = 0;
    stream.waitingBytes = 0;
    stream.end = { error: new AppError("log-reader-too-slow") };
    stream.wake();
  }

  /** A host that has more to tell is told to stop. */
  #forget(id: number): void {
    if (this.#streams.get(id)?.end === undefined) this.#send({ type: "cancel", id });
    this.#streams.delete(id);
  }
}

/** Forgets what is read now and then, and not with every line: taking the first of many thousand moves all the others. */
function nextLine(stream: Stream): LogLine | undefined {
  const line = stream.lines[stream.read];
  if (line === undefined) return undefined;
  stream.read += 1;
  if (stream.read < FORGET_LINES && stream.read < stream.lines.length) return line;
  stream.lines = stream.lines.slice(stream.read);
  stream.read = 0;
  return line;
}

function errorOf({ code, message, details }: Reason): AppError {
  if (isErrorCode(code)) return new AppError(code, { message, ...(details === undefined ? {} : { details }) });
  return new AppError("internal", { message, details: { ...details, code } });
}
