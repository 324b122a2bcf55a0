/**
 * What moved between two readings of one device's counters. A counter that went back was reset with its driver, and says
 * nothing. Pure.
 */
import type { Accelerator, Known } from "../../../protocol/accelerator.ts";
import { isUnavailable, knownOr } from "../known.ts";
import type { Finding, FindingClass } from "./finding.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** Errors in an hour that the link corrected, and of links between devices. */
const MOST_CORRECTED = 100;
/** Replays a minute and lane, by the link's generation, that are still normal: what NVIDIA's own monitor allows. */
const REPLAYS: readonly number[] = [0.15, 0.15, 0.3, 0.48, 0.96, 1.92, 3.84];
/** Of the time, in which the hardware slowed itself down. */
const MOST_SLOWED = 0.05;

export interface Times {
  /** Wall clock in ms of the newer reading, and between the two. */
  readonly at: number;
  readonly spanMs: number;
}

/** `before` and `after` are the same device, at least half a minute apart: rates are taken from them. */
export function countersBetween(before: Accelerator, after: Accelerator, { at, spanMs }: Times): Finding[] {
  const findings: Finding[] = [];
  const say = (code: string, kind: FindingClass, message: string): void =>
    void findings.push({
      code,
      class: kind,
      echo: false,
      source: "counters",
      where: { uuid: after.uuid },
      at,
      message,
    });
  const [ecc, pcie, throttle] = [after.ecc, after.pcie, after.throttle];
  const uncorrected = growth(before.ecc.uncorrectedVolatile, ecc.uncorrectedVolatile);
  if (uncorrected > 0 && after.vendor !== "amd") {
    say("ecc-uncorrectable", "memory", `${uncorrected} errors of its memory could not be corrected.`);
  }
  const fatal = growth(before.pcie.fatalErrors, pcie.fatalErrors);
  if (fatal > 0) say("pcie-fatal", "inspect", `${fatal} fatal errors of its PCIe link.`);
  const linkErrors = growth(errorsOf(before), errorsOf(after));
  if (linkErrors > 0) say("link-errors", "watch", `${linkErrors} errors of its links to other devices.`);
  const corrected = (growth(before.pcie.correctableErrors, pcie.correctableErrors) / spanMs) * HOUR_MS;
  if (corrected > MOST_CORRECTED) {
    say("pcie-errors", "watch", `${Math.round(corrected)} corrected errors an hour of its PCIe link.`);
  }
  const replays = (growth(before.pcie.replays, pcie.replays) / spanMs) * MINUTE_MS;
  const most = Math.ceil(knownOr(pcie.width, 16) * (REPLAYS[knownOr(pcie.generation, 1)] ?? 3.84));
  if (replays > most)
    say("pcie-replays", "watch", `${Math.round(replays)} replays a minute of its PCIe link; ${most} are normal.`);
  const slowed =
    (growth(before.throttle.hwThermalMicros, throttle.hwThermalMicros) +
      growth(before.throttle.hwPowerBrakeMicros, throttle.hwPowerBrakeMicros)) /
    (spanMs * 1000);
  if (slowed > MOST_SLOWED) {
    say("hw-slowdown", "watch", `Its hardware slowed it down for ${Math.round(slowed * 100)} % of the time.`);
  }
  return findings;
}

function growth(before: Known<number>, after: Known<number>): number {
  if (isUnavailable(before) || isUnavailable(after)) return 0;
  return Math.max(0, after - before);
}

function errorsOf({ fabricLinks }: Accelerator): Known<number> {
  if (isUnavailable(fabricLinks)) return fabricLinks;
  return fabricLinks.reduce((sum, { errors }) => sum + knownOr(errors, 0), 0);
}
