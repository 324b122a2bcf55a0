/**
 * A container's log, read as a stream whether or not it is followed: it may be larger than the memory that we want to use.
 * The engine waits while we do; it reads the log from its file, so a slow reader holds up no pod.
 */
import { Readable } from "node:stream";

import type Dockerode from "dockerode";

import type { LogLine, LogQuery } from "../../protocol/pod.ts";
import { bounded, READ_DEADLINE_MS } from "./call.ts";
import { engineError, statusOf } from "./errors.ts";
import { LineSplitter } from "./log-stream.ts";

export interface LogsInput {
  readonly name: string;
  readonly query: LogQuery;
  readonly signal: AbortSignal;
}

/** Ends when all is told or the signal aborts; without a line for a container that is gone. Throws `engine-error` and its kin. */
export async function* readLogs(docker: Dockerode, { name, query, signal }: LogsInput): AsyncGenerator<LogLine> {
  const options = {
    stdout: true,
    stderr: true,
    timestamps: true,
    follow: query.follow,
    tail: query.tail,
    ...(query.since === undefined ? {} : { since: Date.parse(query.since) / 1000 }),
  };
  try {
    // The deadline is for the beginning alone: a log that is followed has no end.
    const pieces: AsyncIterable<Buffer> = await bounded("logs", READ_DEADLINE_MS, signal, () =>
      openLog(docker, { name, options, signal }),
    );
    // One generator and no more between the engine and the link: a line costs little, and there are many.
    const splitter = new LineSplitter();
    for await (const piece of pieces) for (const line of splitter.push(piece)) yield line;
    for (const line of splitter.rest()) yield line;
  } catch (error) {
    if (signal.aborted || statusOf(error) === 404) return;
    throw engineError(error, "logs");
  }
}

interface OpenLog {
  readonly name: string;
  readonly options: object;
  readonly signal: AbortSignal;
}

/** The library itself streams only a log that is followed, and keeps any other in memory. */
function openLog(docker: Dockerode, { name, options, signal }: OpenLog): Promise<Readable> {
  const request = {
    path: `/containers/${encodeURIComponent(name)}/logs?`,
    method: "GET",
    isStream: true,
    statusCodes: { 200: true, 404: "no such container", 500: "server error" },
    abortSignal: signal,
    options,
  };
  return new Promise((resolve, reject) => {
    docker.modem.dial(request, (error, stream) => {
      if (stream instanceof Readable) resolve(stream);
      else reject(error ?? new Error("The engine gave no stream."));
    });
  });
}
