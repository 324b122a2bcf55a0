/**
 * What it means that a pod's main process ended by itself: why, whose doing it was, and when it is started again. Pure.
 * A renter's image that keeps ending is braked and named; what this host broke is put right at once and never blamed.
 */
import type { SeenContainer } from "../docker/runtime.ts";
import type { LastExit, PodRecord } from "./state.ts";

/** From so many quick ends in a row on, a pod counts as looping. */
export const CRASH_LOOP_TRIES = 3;
/** A run that lasted so long was no quick end: the next one counts as the first again. */
const STABLE_MS = 600_000;
const MAX_LOG_LINES = 100;
const MAX_LINE_LENGTH = 500;

/** How long the first restart waits, and the longest. Each further try waits twice as long. */
export interface RestartPace {
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

/** Statuses of the kit's init, see executor/ssh/kit/init.sh. */
const KIT_EXITS: ReadonlyMap<number, { readonly cause: string; readonly fault: LastExit["fault"] }> = new Map([
  [70, { cause: "the pod's SSH server could not start", fault: "provider" }],
  [71, { cause: "the image's user does not exist in the image", fault: "renter" }],
]);

export interface ExitFacts {
  readonly container: SeenContainer;
  /** The engine or the machine went away at that time, and the process with it. */
  readonly hostWentDown: boolean;
  readonly log: readonly string[];
}

/** The record with this exit noted. Noting it again changes nothing. */
export function withExit(record: PodRecord, { container, hostWentDown, log }: ExitFacts): PodRecord {
  const { finishedAtMs, startedAtMs } = container;
  if (finishedAtMs === undefined || record.lastExit?.finishedAtMs === finishedAtMs) return record;
  const { runs } = record.wanted;
  const ranLong = startedAtMs !== undefined && finishedAtMs - startedAtMs >= STABLE_MS;
  const before = ranLong || record.lastExit?.run !== runs ? 0 : record.lastExit.tries;
  const lines = log.slice(-MAX_LOG_LINES).map((line) => line.slice(0, MAX_LINE_LENGTH));
  const lastExit = { finishedAtMs, run: runs, tries: before + 1, log: lines, ...blame(container, hostWentDown) };
  return { ...record, lastExit };
}

function blame(container: SeenContainer, hostWentDown: boolean): Pick<LastExit, "cause" | "fault"> {
  if (hostWentDown) return { cause: "the host or its engine went down", fault: "provider" };
  if (container.oomKilled) return { cause: "out of memory", fault: "renter" };
  return KIT_EXITS.get(container.exitCode) ?? { cause: causeOf(container.exitCode), fault: "renter" };
}

/** Linux's numbers of the signals that end processes. */
const SIGNALS: Readonly<Record<number, string>> = {
  1: "SIGHUP",
  2: "SIGINT",
  3: "SIGQUIT",
  4: "SIGILL",
  5: "SIGTRAP",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  9: "SIGKILL",
  11: "SIGSEGV",
  13: "SIGPIPE",
  14: "SIGALRM",
  15: "SIGTERM",
};

/** A status above 128 stands for the signal that ended the process. */
function causeOf(exitCode: number): string {
  const signal = SIGNALS[exitCode - 128];
  return signal === undefined ? `exit code ${exitCode}` : `signal ${signal}`;
}

/** Whether this exit has been noted with its cause and log. */
export function isNoted(record: PodRecord, container: SeenContainer): boolean {
  return container.finishedAtMs === undefined || record.lastExit?.finishedAtMs === container.finishedAtMs;
}

/** How long to wait before the main process is started again, or undefined when it is to stay as it is. */
export function restartDelayMs(
  record: PodRecord,
  container: SeenContainer,
  { firstDelayMs, maxDelayMs }: RestartPace,
): number | undefined {
  const { lastExit, wanted } = record;
  if (lastExit === undefined || !isNoted(record, container)) return undefined;
  if (lastExit.fault === "provider") {
    if (lastExit.tries === 1) return 0;
  } else if (wanted.spec.restart === "never") return undefined;
  else if (wanted.spec.restart === "on-failure" && container.exitCode === 0 && !container.oomKilled) return undefined;
  return Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(lastExit.tries - 1, 30));
}

export function isCrashLoop({ lastExit, wanted }: PodRecord): boolean {
  return lastExit !== undefined && lastExit.run === wanted.runs && lastExit.tries >= CRASH_LOOP_TRIES;
}
