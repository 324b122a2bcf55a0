/**
 * What a device's own readings say of its health, for as long as they say it. What cannot be read says nothing. Pure.
 */
import type { Accelerator, HealthReason } from "../../../protocol/accelerator.ts";
import { isUnavailable, knownOr } from "../known.ts";

/** The best that was ever seen of a device on this host: a narrower link or fewer links than that are a fault. */
export interface Best {
  readonly pcieWidth: number;
  readonly activeLinks: number;
}

export function bestOf(gpu: Accelerator, before: Best | undefined): Best {
  return {
    pcieWidth: Math.max(before?.pcieWidth ?? 0, knownOr(gpu.pcie.width, 0)),
    activeLinks: Math.max(before?.activeLinks ?? 0, activeLinks(gpu) ?? 0),
  };
}

/** Rows that may be replaced before the memory counts as worn out, and pages of memory of the time before rows. */
const MOST_ROWS = 512;
const MOST_PAGES = 60;

export function statesOf(gpu: Accelerator, best: Best | undefined): HealthReason[] {
  return [...recovery(gpu), ...memory(gpu), ...fabric(gpu), ...heat(gpu), ...links(gpu, best)];
}

function fence(code: string, message: string): HealthReason {
  return { code, message, fence: true };
}

function caution(code: string, message: string): HealthReason {
  return { code, message, fence: false };
}

function recovery({ recoveryAction }: Accelerator): HealthReason[] {
  const action = knownOr(recoveryAction, "none");
  return action === "none"
    ? []
    : [fence(`recovery-${action}`, `The driver asks for a recovery of the device: ${action}.`)];
}

function memory({ rows, ecc }: Accelerator): HealthReason[] {
  const [remapped, retired] = [knownOr(rows.remappedUncorrectable, 0), knownOr(rows.retiredPages, 0)];
  return [
    ...when(rows.failed, () =>
      fence("rows-failed", "A row of memory could not be replaced: the device has to be exchanged."),
    ),
    ...when(rows.pending, () => fence("rows-pending", "Rows of memory wait to be replaced, which a reset does.")),
    ...(remapped > MOST_ROWS
      ? [fence("rows-many", `${remapped} rows of memory were replaced after errors: more than ${MOST_ROWS}.`)]
      : []),
    ...(retired > MOST_PAGES
      ? [fence("pages-many", `${retired} pages of memory were given up: more than ${MOST_PAGES}.`)]
      : []),
    ...(knownOr(rows.banksWithoutSpare, 0) > 0
      ? [caution("rows-no-spare", "Some banks of memory have no spare row left.")]
      : []),
    ...when(ecc.sramThresholdExceeded, () =>
      fence("sram-threshold", "More errors in on-chip memory than the device may have: it has to be exchanged."),
    ),
    ...(knownOr(ecc.enabled, true) === knownOr(ecc.pending, knownOr(ecc.enabled, true))
      ? []
      : [caution("ecc-pending", "The next reset turns error correction on or off.")]),
  ];
}

function when(value: Accelerator["rows"]["failed"], reason: () => HealthReason): HealthReason[] {
  return knownOr(value, false) ? [reason()] : [];
}

function fabric({ fabric: { state, health } }: Accelerator): HealthReason[] {
  const [now, how] = [knownOr(state, "completed"), knownOr(health, "healthy")];
  return [
    ...(now === "completed" ? [] : [fence("fabric-not-ready", `Its NVLink switches are not ready: ${now}.`)]),
    ...(how === "unhealthy" ? [fence("fabric-unhealthy", "The driver calls its NVLink switches unhealthy.")] : []),
    ...(how === "degraded" ? [caution("fabric-degraded", "The driver calls its NVLink switches degraded.")] : []),
  ];
}

function heat({ temperature, throttle }: Accelerator): HealthReason[] {
  const { marginCelsius, gpuCelsius, slowdownCelsius } = temperature;
  const isHot = isUnavailable(marginCelsius)
    ? knownOr(gpuCelsius, -60) >= knownOr(slowdownCelsius, Number.POSITIVE_INFINITY)
    : marginCelsius <= 0;
  const reasons = isUnavailable(throttle.reasons) ? [] : throttle.reasons;
  return [
    ...(isHot ? [caution("too-hot", `It is at ${knownOr(gpuCelsius, 0)} °C, where its hardware slows down.`)] : []),
    ...(reasons.includes("hw-power-brake")
      ? [caution("power-brake", "The power supply slows the device down: look at cables and supplies.")]
      : []),
    ...(reasons.includes("hw-thermal")
      ? [caution("thermal-brake", "The hardware slows the device down: it is too hot.")]
      : []),
  ];
}

function links(gpu: Accelerator, best: Best | undefined): HealthReason[] {
  const [width, active] = [knownOr(gpu.pcie.width, undefined), activeLinks(gpu)];
  const reasons: HealthReason[] = [];
  if (best === undefined) return reasons;
  if (width !== undefined && width < best.pcieWidth) {
    reasons.push(
      caution("pcie-narrow", `Its PCIe link has ${width} lanes and had ${best.pcieWidth}: look at slot and riser.`),
    );
  }
  if (active !== undefined && active < best.activeLinks) {
    reasons.push(caution("links-down", `${active} of its links are up, and ${best.activeLinks} were.`));
  }
  return reasons;
}

function activeLinks({ fabricLinks }: Accelerator): number | undefined {
  return isUnavailable(fabricLinks) ? undefined : fabricLinks.filter(({ active }) => active).length;
}
