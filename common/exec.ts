/**
 * Running a program: an argument list and never a shell line, a deadline, capped output.
 * The program leads a process group of its own, so that whatever it started ends with it when time is up.
 */
import { type ChildProcess, spawn } from "node:child_process";

import { AppError } from "../protocol/errors.ts";

export interface ExecOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Written to the program's standard input, which is empty otherwise. */
  readonly input?: string | Uint8Array;
  /** The whole environment of the program; ours when left out. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Of each of stdout and stderr; a program that writes more is ended. 4 MiB when left out. */
  readonly maxOutputBytes?: number;
  /** Exit statuses that are an answer and not a failure; only 0 when left out. */
  readonly allowExitCodes?: readonly number[];
}

export interface ExecResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

interface Ending {
  readonly exitCode: number | null;
  readonly exitSignal: NodeJS.Signals | null;
}

const DEFAULT_MAX_OUTPUT_BYTES = 4 * 2 ** 20;
const STDERR_IN_MESSAGE = 200;
const STDERR_IN_DETAILS = 2_000;

/**
 * Runs `file` to its end. Rejects with `command-failed` when it cannot start, exits otherwise than allowed or writes too
 * much, with `deadline-exceeded` after `timeoutMs`, and with the signal's reason when that aborts. Arguments never appear
 * in an error.
 */
export async function exec(file: string, args: readonly string[], options: ExecOptions): Promise<ExecResult> {
  options.signal.throwIfAborted();
  const child = spawn(file, args, {
    detached: true,
    stdio: "pipe",
    ...(options.env === undefined ? {} : { env: { ...options.env } }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const maxBytes = options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES;
  const tooMuch = new AbortController();
  const stdout = collect(child.stdout, maxBytes, tooMuch);
  const stderr = collect(child.stderr, maxBytes, tooMuch);
  // A program that ends without reading its input is no failure of ours.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input);

  const deadline = AbortSignal.timeout(options.timeoutMs);
  const ending = await ended(child, AbortSignal.any([options.signal, deadline, tooMuch.signal])).catch(
    (error: unknown) => {
      killTree(child);
      if (options.signal.aborted) throw options.signal.reason;
      if (deadline.aborted) {
        throw new AppError("deadline-exceeded", { message: `${file} took longer than ${options.timeoutMs} ms.` });
      }
      const message = tooMuch.signal.aborted
        ? `${file} wrote more than ${maxBytes} bytes.`
        : `${file} could not be run.`;
      throw new AppError("command-failed", { message, details: { file }, cause: error });
    },
  );

  const result = { stdout: stdout(), stderr: stderr() };
  const { exitCode, exitSignal } = ending;
  if (exitCode !== null && (options.allowExitCodes ?? [0]).includes(exitCode)) return { ...result, exitCode };
  throw new AppError("command-failed", {
    message: `${file} ended with ${exitSignal ?? `status ${exitCode}`}. ${lastLine(result.stderr)}`.trimEnd(),
    details: { file, exitCode, exitSignal, stderr: result.stderr.slice(-STDERR_IN_DETAILS) },
  });
}

function lastLine(text: string): string {
  return (text.trimEnd().split("\n").at(-1) ?? "").trim().slice(0, STDERR_IN_MESSAGE);
}

/** Gathers a stream as text; what lies beyond the limit ends the program. */
function collect(stream: NodeJS.ReadableStream, maxBytes: number, tooMuch: AbortController): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > maxBytes) tooMuch.abort();
    else chunks.push(chunk);
  });
  return () => Buffer.concat(chunks).toString("utf8");
}

function ended(child: ChildProcess, stop: AbortSignal): Promise<Ending> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(new Error("It was ended early."));
    stop.addEventListener("abort", giveUp, { once: true });
    child.on("error", reject);
    child.on("close", (exitCode, exitSignal) => {
      stop.removeEventListener("abort", giveUp);
      resolve({ exitCode, exitSignal });
    });
  });
}

function killTree(child: ChildProcess): void {
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The group is gone already.
  }
}
