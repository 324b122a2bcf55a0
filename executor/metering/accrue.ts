/**
 * The heart of the meter: from what was and what is seen now to intervals that are over and the one that is open. Pure.
 *
 * The wall clock is never measured by. It is asked where only it can tell when something happened that nobody watched, and
 * then both of its readings, before and after a possible jump, are tried; in doubt the renter pays less.
 */
import type { PodId } from "../../protocol/ids.ts";
import type { UsageEntry } from "../../protocol/usage.ts";
import type { Moment } from "./boot-clock.ts";
import { markOf, type MeterState, type Mode, type Standing, standingOf, type Terms } from "./meter-state.ts";
import { bytesBetween, type Counters } from "./traffic.ts";

/** The interval of a pod that is not over yet. Stored but for the last two, so that it is taken up after a crash. */
export interface Open {
  readonly podId: PodId;
  readonly terms: Terms;
  readonly mode: Mode;
  readonly since: Moment;
  readonly mark?: string | undefined;
  readonly counters?: Counters | undefined;
  /** In a gap, since when there is an executor again and no engine that could say what became of the pod. */
  readonly unseenMs?: number | undefined;
  /** From when on it is not known what this time is; this and the one before in milliseconds since the boot. */
  readonly doubtMs?: number | undefined;
  /** Nobody has seen the pod since before the executor started. */
  readonly gap?: boolean | undefined;
}

export interface Observation {
  readonly podId: PodId;
  readonly at: Moment;
  readonly state: MeterState;
  readonly counters?: Counters | undefined;
  /** Closes the interval also when nothing changed. */
  readonly close?: boolean;
}

export interface Accrual {
  readonly entries: readonly UsageEntry[];
  /** Undefined when the pod is over. */
  readonly open: Open | undefined;
}

export function accrue(open: Open | undefined, seen: Observation): Accrual {
  const standing = standingOf(seen.state);
  if (open === undefined || open.since.bootId !== seen.at.bootId) return begin(seen, standing);
  if (open.gap === true && standing.is === "unseen") return unseen(open, seen);
  if (standing.is === "doubt") return doubt(open, seen);
  const changes = open.gap === true ? changesInGap(open, seen, standing) : changesSince(open, seen, standing);
  return settle(open, seen, { changes, over: standing.is === "over" });
}

/** Time of another boot, and time before the first look, is nobody's. */
function begin(seen: Observation, standing: Standing): Accrual {
  if (standing.is === "over") return { entries: [], open: undefined };
  const mode: Mode = "mode" in standing ? standing.mode : { kind: "unbilled", reason: "starting" };
  return { entries: [], open: openOf(seen, mode, seen.at, seen.counters) };
}

function unseen(open: Open, { at }: Observation): Accrual {
  return { entries: [], open: { ...open, unseenMs: open.unseenMs ?? at.upMs } };
}

/** What was before the doubt may be closed, the rest waits. A gap is one doubt from its beginning to its end. */
function doubt(open: Open, seen: Observation): Accrual {
  const doubtMs = open.doubtMs ?? seen.at.upMs;
  const waiting = { ...open, doubtMs };
  const closes = seen.close === true || hasJumped(open.since, seen.at);
  if (!closes || open.gap === true) return { entries: [], open: waiting };
  const entries = entriesOf([{ fromMs: open.since.upMs, mode: open.mode }], doubtMs, { open, seen });
  const counters = entries.length > 0 ? (seen.counters ?? open.counters) : open.counters;
  return { entries, open: { ...waiting, since: momentAt(doubtMs, seen.at), counters } };
}

/** From `fromMs` on, in milliseconds since the boot, the mode is this one. */
interface Part {
  readonly fromMs: number;
  readonly mode: Mode;
}

/** A doubt that ends as it was before was none; one that nothing resolves ends in the renter's favour. */
function changesSince(open: Open, { at }: Observation, standing: Standing): Part[] {
  if (standing.is === "over" && open.doubtMs !== undefined) {
    return [{ fromMs: open.doubtMs, mode: { kind: "unbilled", reason: "degraded" } }];
  }
  if (!("mode" in standing) || isSameMode(standing.mode, open.mode)) return [];
  const told = standing.is === "known" ? standing.fromMs : undefined;
  // Lanes see things as they happen: where the clock jumped, now is nearer to the truth than what it says.
  const useTold = told !== undefined && !hasJumped(open.since, at);
  const toldMs = useTold ? (whenWas(told, open.since, at) ?? open.since.upMs) : at.upMs;
  return [{ fromMs: open.doubtMs ?? toldMs, mode: standing.mode }];
}

/**
 * A pod that is as it was has gone on through the gap. Of another it is known at best when it ended; what came after that,
 * and before we looked, was seen by nobody, unless it has been out ever since. An engine that did not answer at first leaves its own time unbilled.
 */
function changesInGap(open: Open, { at, state }: Observation, standing: Standing): Part[] {
  const now = "mode" in standing ? [{ fromMs: at.upMs, mode: standing.mode }] : [];
  if (open.mode.kind === "unbilled") return now;
  const toLook = [...(open.unseenMs === undefined ? [] : [{ fromMs: open.unseenMs, mode: ENGINE_UNKNOWN }]), ...now];
  const when = (wallMs: number | undefined): number =>
    Math.min(
      wallMs === undefined ? open.since.upMs : (whenWas(wallMs, open.since, at) ?? open.since.upMs),
      open.unseenMs ?? at.upMs,
    );
  const isLeaving = state.endedAtMs !== undefined && state.phase !== "exited";
  if (open.mark === undefined || open.mark !== markOf(state) || isLeaving) {
    const isOut = state.phase === "exited" && "mode" in standing;
    return [{ fromMs: when(state.endedAtMs), mode: isOut ? standing.mode : UNOBSERVED }, ...toLook];
  }
  const isSick = standing.is === "known" && standing.mode.reason === "degraded" && standing.fromMs !== undefined;
  return isSick ? [{ fromMs: when(standing.fromMs), mode: standing.mode }, ...toLook] : toLook;
}

const ENGINE_UNKNOWN: Mode = { kind: "unbilled", reason: "engine-unknown" };
const UNOBSERVED: Mode = { kind: "unbilled", reason: "unobserved" };

interface Outcome {
  readonly changes: readonly Part[];
  readonly over: boolean;
}

/** Everything up to the last change is over; the rest goes on, unless something else calls for an end. */
function settle(open: Open, seen: Observation, { changes, over }: Outcome): Accrual {
  const { at, state } = seen;
  const parts = joined([{ fromMs: open.since.upMs, mode: open.mode }, ...changes], at.upMs);
  const last = parts.at(-1) ?? { fromMs: at.upMs, mode: open.mode };
  const isOther = parts.length === 1 && (open.mark !== markOf(state) || !isSameTerms(open.terms, state.terms));
  // After a jump the interval begins anew, so that the next one finds a reading from between the two.
  const isAnew = open.gap === true || hasJumped(open.since, at);
  const closes = over || seen.close === true || isOther || isAnew;
  const [closed, untilMs] = closes ? [parts, at.upMs] : [parts.slice(0, -1), last.fromMs];
  const entries = entriesOf(closed, untilMs, { open, seen });
  if (over) return { entries, open: undefined };
  const counters = entries.length > 0 || open.counters === undefined ? (seen.counters ?? open.counters) : open.counters;
  // As long as an interval goes on, the reading of the wall clock at its beginning is kept: it may be from before a jump.
  const since = closes ? at : untilMs === open.since.upMs ? open.since : momentAt(untilMs, at);
  return { entries, open: openOf(seen, last.mode, since, counters) };
}

/** In order and within what has passed, each with a length but the last, and neighbours different. */
function joined(parts: readonly Part[], nowMs: number): Part[] {
  const result: Part[] = [];
  for (const part of parts) {
    const fromMs = Math.min(nowMs, Math.max(part.fromMs, result.at(-1)?.fromMs ?? part.fromMs));
    if (result.at(-1)?.fromMs === fromMs) result.pop();
    const before = result.at(-1);
    if (before === undefined || !isSameMode(before.mode, part.mode)) result.push({ fromMs, mode: part.mode });
  }
  return result;
}

/** What went over the network since the last entry counts to the first one. */
function entriesOf(
  parts: readonly Part[],
  untilMs: number,
  { open, seen }: { readonly open: Open; readonly seen: Observation },
): UsageEntry[] {
  const traffic = open.counters && seen.counters && bytesBetween(open.counters, seen.counters);
  const { gpus, cpus, memoryBytes, diskBytes } = open.terms;
  return parts
    .map(({ fromMs, mode }, index) => ({ fromMs, mode, toMs: parts[index + 1]?.fromMs ?? untilMs }))
    .filter(({ fromMs, toMs }) => toMs > fromMs)
    .map(({ fromMs, mode, toMs }, index) => ({
      v: 1,
      podId: open.podId,
      ...mode,
      atMs: momentAt(toMs, seen.at).wallMs,
      ms: toMs - fromMs,
      gpus: [...gpus],
      cpus,
      memoryBytes,
      diskBytes,
      ...(index === 0 ? traffic : {}),
    }));
}

function openOf(seen: Observation, mode: Mode, since: Moment, counters: Counters | undefined): Open {
  const { podId, state } = seen;
  return { podId, terms: state.terms, mode, since, mark: markOf(state), counters };
}

/**
 * When an instant of the wall clock was, in milliseconds since the boot: by how the clock stood at either end, the earlier
 * where both are possible. Undefined when it lies outside.
 */
function whenWas(wallMs: number, since: Moment, at: Moment): number | undefined {
  const readings = [since, at].map((moment) => moment.upMs + (wallMs - moment.wallMs));
  const possible = readings.filter((upMs) => upMs >= since.upMs && upMs <= at.upMs);
  return possible.length === 0 ? undefined : Math.min(...possible);
}

const TOLERANCE_MS = 1_000;

function hasJumped(since: Moment, at: Moment): boolean {
  return Math.abs(at.wallMs - since.wallMs - (at.upMs - since.upMs)) > TOLERANCE_MS;
}

/** A moment of the same boot, labelled by the wall clock of now. */
function momentAt(upMs: number, now: Moment): Moment {
  return { bootId: now.bootId, upMs, wallMs: now.wallMs - (now.upMs - upMs) };
}

function isSameMode(a: Mode, b: Mode): boolean {
  return a.kind === b.kind && a.reason === b.reason;
}

function isSameTerms(a: Terms, b: Terms): boolean {
  return (
    a.cpus === b.cpus &&
    a.memoryBytes === b.memoryBytes &&
    a.diskBytes === b.diskBytes &&
    a.gpus.length === b.gpus.length &&
    a.gpus.every((uuid, index) => uuid === b.gpus[index])
  );
}
