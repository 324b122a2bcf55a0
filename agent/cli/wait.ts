/**
 * Waits for a pod to reach a phase, and draws on a terminal how far it is.
 */
import type { Sink } from "../../common/cli/output.ts";
import type { Clock } from "../../common/clock.ts";
import { AppError, isErrorCode } from "../../protocol/errors.ts";
import { isOver, type PodPhase, type PodView } from "../../protocol/pod.ts";
import { formatSize } from "./quantities.ts";
import type { ValidatorClient } from "./validator-client.ts";

const WAIT_SECONDS = 30;
/** While something is drawn. */
const DRAW_SECONDS = 0.5;
const PAUSE_MS = 100;
const BAR_CELLS = 24;
/** From here a pod does not come to run by itself. */
const STRANDED: readonly PodPhase[] = ["stopped", "exited", "ending"];
const CLEAR_LINE = "\r\u001B[K";

export interface WaitOptions {
  readonly client: ValidatorClient;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Where to draw; nowhere when undefined. */
  readonly progress: Sink | undefined;
}

/** The pod when it is there, or when it can no longer come there. Throws `deadline-exceeded` when that takes too long. */
export async function untilPhase(pod: PodView, phase: PodPhase, options: WaitOptions): Promise<PodView> {
  const { client, clock, timeoutMs, progress } = options;
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([options.signal, deadline]);
  const query = { awaitPhase: phase, awaitSeconds: progress === undefined ? WAIT_SECONDS : DRAW_SECONDS };
  let view = pod;
  try {
    while (!isSettled(view, phase)) {
      progress?.write(CLEAR_LINE + progressText(view));
      view = await client.getPod({ params: { podId: pod.podId }, query }, signal);
      if (!isSettled(view, phase)) await clock.sleep(PAUSE_MS, signal);
    }
    return view;
  } catch (error) {
    if (!deadline.aborted) throw error;
    const message = `The pod is ${view.status.phase}, and it did not become ${phase} in time; it goes on.`;
    throw new AppError("deadline-exceeded", { message, details: { podId: pod.podId } });
  } finally {
    progress?.write(CLEAR_LINE);
  }
}

function isSettled({ goal, status }: PodView, phase: PodPhase): boolean {
  if (status.phase === phase || isOver(status.phase)) return true;
  return phase === "running" && (goal !== "running" || STRANDED.includes(status.phase));
}

/** Why a pod is not where it should be, under the code that its host gave. */
export function notReached({ podId, status }: PodView, phase: PodPhase): AppError {
  const { reason, exit } = status;
  const why = reason?.message ?? (exit === undefined ? "" : `its main process ended with code ${exit.code}`);
  const message = `The pod is ${status.phase} and not ${phase}${why === "" ? "." : `: ${why}`}`;
  const code = isErrorCode(reason?.code) ? reason.code : "pod-ended";
  return new AppError(code, { message, details: { podId, ...reason?.details } });
}

/** `pulling [=====     ] 21% of 1.2 GiB`, or the phase alone. */
function progressText({ status: { phase, pull } }: PodView): string {
  if (pull === undefined || pull.totalBytes <= 0) return `${phase} ...`;
  const done = Math.min(1, pull.doneBytes / pull.totalBytes);
  const bar = "=".repeat(Math.floor(done * BAR_CELLS)).padEnd(BAR_CELLS);
  return `${phase} [${bar}] ${Math.floor(done * 100)}% of ${formatSize(pull.totalBytes)}`;
}
