/**
 * Values as the vendors' tools write them: numbers with a unit, yes and no, and a dozen ways to say that there is none. Pure.
 */
import type { Known, RecoveryAction, UnavailableReason } from "../../protocol/accelerator.ts";
import { isUnavailable, mapKnown, unavailable } from "./known.ts";

/** The first that fits counts. */
const NO_VALUE: readonly (readonly [pattern: RegExp, reason: UnavailableReason])[] = [
  [/^(n\/a\b.*|not supported|none|unknown)?$/i, "not-supported"],
  [/deprecated/i, "deprecated"],
  [/is lost|fallen off/i, "lost"],
  [/requires? reset/i, "reset-required"],
  [/permission/i, "no-permission"],
  [/not active|disabled/i, "off"],
  [/error|err!|not found|unable/i, "error"],
];

/** The text without brackets, or why there is none. */
export function textValue(text: string | undefined): Known<string> {
  if (text === undefined) return unavailable("not-read");
  const bare = text
    .trim()
    .replace(/^\[(.*)\]$/, "$1")
    .trim();
  const none = NO_VALUE.find(([pattern]) => pattern.test(bare));
  if (none === undefined) return bare.slice(0, 200);
  const [, reason] = none;
  return reason === "error" ? unavailable(reason, bare) : unavailable(reason);
}

const FACTORS: Readonly<Record<string, number>> = { kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, mb: 2 ** 20, mw: 0.001 };

/** `98.31 W` is 98.31, `81559 MiB` is bytes, `16x` is 16; `unit` is what a bare number is in. */
export function numberValue(text: string | undefined, unit = ""): Known<number> {
  const value = textValue(text);
  if (isUnavailable(value)) return value;
  const { number, own } = /^(?<number>[+-]?\d+(?:\.\d+)?)\s*(?<own>[a-z%()/]*)$/i.exec(value)?.groups ?? {};
  if (number === undefined) return unavailable("error", value);
  return Number(number) * (FACTORS[(own || unit).toLowerCase()] ?? 1);
}

/** Whole bytes, from MiB where the text names no unit. */
export function bytesValue(text: string | undefined): Known<number> {
  return mapKnown(numberValue(text, "MiB"), Math.round);
}

export function countValue(text: string | undefined): Known<number> {
  const value = numberValue(text);
  return isUnavailable(value) || (Number.isInteger(value) && value >= 0) ? value : unavailable("error", String(value));
}

export function percentValue(text: string | undefined): Known<number> {
  const value = numberValue(text);
  return isUnavailable(value) || (value >= 0 && value <= 100) ? value : unavailable("error", String(value));
}

/** Of `Yes` and `No`, `Enabled` and `Disabled`, `Active` and `Not Active`. */
export function flagValue(text: string | undefined): Known<boolean> {
  const bare = (text ?? "").trim().replace(/^\[(.*)\]$/, "$1");
  if (/^(yes|enabled|active)$/i.test(bare)) return true;
  if (/^(no|disabled|not active)$/i.test(bare)) return false;
  const value = textValue(text);
  return isUnavailable(value) ? value : unavailable("error", value);
}

const RECOVERIES: readonly (readonly [pattern: RegExp, action: RecoveryAction])[] = [
  [/^none$/i, "none"],
  [/drain and reset/i, "drain-and-reset"],
  [/drain/i, "drain-peers"],
  [/imex/i, "recover-imex"],
  [/reboot/i, "reboot"],
  [/reset/i, "reset"],
];

export function recoveryValue(text: string | undefined): Known<RecoveryAction> {
  const found = RECOVERIES.find(([pattern]) => pattern.test((text ?? "").trim()));
  if (found !== undefined) return found[1];
  const value = textValue(text);
  return isUnavailable(value) ? value : unavailable("error", value);
}

const FABRIC: Readonly<Record<string, "not-started" | "in-progress" | "completed">> = {
  "not started": "not-started",
  "in progress": "in-progress",
  completed: "completed",
};

export function fabricState(text: string | undefined): Known<"not-started" | "in-progress" | "completed"> {
  const value = textValue(text);
  return isUnavailable(value) ? value : (FABRIC[value.toLowerCase()] ?? unavailable("error", value));
}

export function fabricHealth(text: string | undefined): Known<"healthy" | "degraded" | "unhealthy"> {
  const value = textValue(text);
  if (isUnavailable(value)) return value;
  if (/^healthy$/i.test(value)) return "healthy";
  if (/unhealthy/i.test(value)) return "unhealthy";
  return /limited|degraded/i.test(value) ? "degraded" : unavailable("error", value);
}
