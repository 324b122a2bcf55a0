/**
 * Several readings of one device as one: field by field, the first source that knows it wins. Pure.
 */
import { Accelerator, type AcceleratorReading, type HealthReason } from "../../protocol/accelerator.ts";
import { isBetter, isUnavailable } from "./known.ts";

/** `readings` with the most trusted first. Throws where one is not of the schema; sources check what they give. */
export function mergeReadings(readings: readonly AcceleratorReading[]): Accelerator {
  const merged = Accelerator.parse(readings.reduce<unknown>((all, reading) => mergeInto(all, reading), {}));
  return {
    ...merged,
    health: healthOf(readings.flatMap(({ health }) => health?.reasons ?? [])),
    sources: [...new Set(readings.flatMap(({ sources }) => sources ?? []))],
  };
}

/** Fenced by one reason that fences, suspect by any other; of one code the first counts. */
export function healthOf(reasons: readonly HealthReason[]): Accelerator["health"] {
  const once = reasons.filter(({ code }, at) => reasons.findIndex((other) => other.code === code) === at);
  const isFenced = once.some(({ fence }) => fence);
  return { state: isFenced ? "fenced" : once.length > 0 ? "suspect" : "healthy", reasons: once };
}

function mergeInto(present: unknown, next: unknown): unknown {
  if (present === undefined) return next;
  if (next === undefined) return present;
  if (isUnavailable(present)) return isBetter(next, present) ? next : present;
  if (Array.isArray(present)) return present.length === 0 && Array.isArray(next) ? next : present;
  if (!isRecord(present) || !isRecord(next) || isUnavailable(next)) return present;
  const names = new Set([...Object.keys(present), ...Object.keys(next)]);
  return Object.fromEntries([...names].map((name) => [name, mergeInto(present[name], next[name])]));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
