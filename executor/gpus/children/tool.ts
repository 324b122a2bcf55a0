/**
 * Running a vendor's tool: argument list, deadline, capped output, and an answer in words whatever it does.
 * Its exit status and output are both kept: the tools print good data and then fail.
 */
import { type ChildProcess, spawn } from "node:child_process";

import type { SourceState } from "../../../protocol/accelerator.ts";
import { type DoomedChildren, survivorText } from "./doomed.ts";

export interface ToolRun {
  readonly file: string;
  readonly args: readonly string[];
  readonly timeoutMs: number;
  readonly maxOutputBytes?: number;
  /** The whole environment; a plain one when left out. */
  readonly env?: Readonly<Record<string, string>>;
}

export type ToolOutcome =
  | { readonly ok: true; readonly exitCode: number; readonly stdout: string; readonly stderr: string }
  | { readonly ok: false; readonly state: Exclude<SourceState["state"], "ok">; readonly detail: string };

const PLAIN_ENV = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/rocm/bin", LC_ALL: "C" };
const DEFAULT_MAX_OUTPUT_BYTES = 16 * 2 ** 20;

/** Rejects only with the signal's reason. */
export async function runTool(run: ToolRun, doomed: DoomedChildren, signal: AbortSignal): Promise<ToolOutcome> {
  signal.throwIfAborted();
  const { survivor } = doomed;
  if (survivor !== undefined) return { ok: false, state: "probe-timeout", detail: survivorText(survivor) };
  const { file, args, timeoutMs, env = PLAIN_ENV } = run;
  const child = spawn(file, args, { detached: true, stdio: ["ignore", "pipe", "pipe"], env: { ...env } });
  const tooMuch = new AbortController();
  const [stdout, stderr] = [child.stdout, child.stderr].map((stream) =>
    collect(stream, run.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES, tooMuch),
  );
  const deadline = AbortSignal.timeout(timeoutMs);
  const ending = await waitFor(child, AbortSignal.any([signal, deadline, tooMuch.signal]));
  if (ending.how === "ended")
    return { ok: true, exitCode: ending.exitCode, stdout: stdout?.() ?? "", stderr: stderr?.() ?? "" };
  if (ending.how === "absent") return { ok: false, state: "absent", detail: `${file} cannot be run: ${ending.why}.` };
  child.stdout.destroy();
  child.stderr.destroy();
  child.unref();
  if (child.pid !== undefined) await doomed.end({ pid: child.pid, what: file });
  signal.throwIfAborted();
  return tooMuch.signal.aborted
    ? { ok: false, state: "failed", detail: `${file} wrote more than it may.` }
    : { ok: false, state: "probe-timeout", detail: `${file} took longer than ${timeoutMs} ms.` };
}

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

type Ending =
  | { readonly how: "ended"; readonly exitCode: number }
  | { readonly how: "absent"; readonly why: string }
  | { readonly how: "given-up" };

const ENDED_BY_SIGNAL = 255;

/** Ended is a tool whose output ended too: what it started and left behind may still write. */
function waitFor(child: ChildProcess, stop: AbortSignal): Promise<Ending> {
  return new Promise((resolve) => {
    stop.addEventListener("abort", () => resolve({ how: "given-up" }), { once: true });
    child.on("error", (error) => resolve({ how: "absent", why: error.message }));
    child.on("close", (exitCode) => resolve({ how: "ended", exitCode: exitCode ?? ENDED_BY_SIGNAL }));
  });
}
