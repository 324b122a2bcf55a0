/**
 * Logs on their way from one host to those who read them: many streams over one connection, told apart by numbers.
 * A reader that falls too far behind is let go, so that it holds up neither the connection nor the agent's memory.
 */
import { AppError, isErrorCode } from "../../protocol/errors.ts";
import type { PodId } from "../../protocol/ids.ts";
import type { ToAgent, ToExecutor } from "../../protocol/link.ts";
import type { LogLine, LogQuery, Reason } from "../../protocol/pod.ts";

export type StreamFrame = Extract<ToAgent, { type: "item" | "done" | "failed" }>;

/** How much text may wait for one reader. */
const MAX_WAITING_BYTES = 8 * 2 ** 20;

interface Stream {
  readonly lines: LogLine[];
  waitingBytes: number;
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
    const stream: Stream = { lines: [], waitingBytes: 0, end: undefined, wake: () => undefined };
    this.#streams.set(id, stream);
    const onAbort = (): void => stream.wake();
    signal.addEventListener("abort", onAbort, { once: true });
    this.#send({ type: "logs", id, podId, query });
    try {
      while (!signal.aborted) {
        const line = stream.lines.shift();
        if (line !== undefined) {
          stream.waitingBytes -= line.line.length;
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
        this.#add(frame.id, stream, frame.lines);
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

  #add(id: number, stream: Stream, lines: readonly LogLine[]): void {
    for (const line of lines) {
      stream.lines.push(line);
      stream.waitingBytes += line.line.length;
    }
    if (stream.waitingBytes <= MAX_WAITING_BYTES) return;
    this.#send({ type: "cancel", id });
    stream.lines.length = 0;
    const message = "The log lines were read too slowly; read again with `since` or a smaller `tail`.";
    stream.end = { error: new AppError("deadline-exceeded", { message }) };
  }

  /** A host that has more to tell is told to stop. */
  #forget(id: number): void {
    if (this.#streams.get(id)?.end === undefined) this.#send({ type: "cancel", id });
    this.#streams.delete(id);
  }
}

function errorOf({ code, message, details }: Reason): AppError {
  if (isErrorCode(code)) return new AppError(code, { message, ...(details === undefined ? {} : { details }) });
  return new AppError("internal", { message, details: { ...details, code } });
}
