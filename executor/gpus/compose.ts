/**
 * One picture of the host's accelerators from all that the sources said and from the last picture. The bus decides what is
 * there, vendors say what it is. What was there and is gone stays in the picture, fenced. Pure.
 */
import {
  Accelerator,
  type AcceleratorReading,
  type Accelerators,
  type HealthReason,
  type SourceState,
  type UnavailableReason,
} from "../../protocol/accelerator.ts";
import { GpuUuid } from "../../protocol/ids.ts";
import { memoryFaults, missingDevice, mismatchFaults, rasFaults, silenceFault } from "./faults.ts";
import { isUnavailable, knownOr } from "./known.ts";
import { healthOf, mergeReadings } from "./merge.ts";
import { pairsOf } from "./pairs.ts";
import type { PairReading, SourceReading } from "./source.ts";
import type { SysfsReading } from "./sysfs/source.ts";

export interface Looks {
  readonly at: string;
  readonly sysfs: SysfsReading;
  /** Undefined where no device of theirs is on the bus. */
  readonly nvidia: SourceReading | undefined;
  /** Tools that add to what the files say. */
  readonly supplements: readonly SourceReading[];
  readonly last: Accelerators | undefined;
}

export function compose({ at, sysfs, nvidia, supplements, last }: Looks): Accelerators {
  const onBus = new Set(sysfs.readings.map(({ pciAddress }) => knownOr(pciAddress, "")));
  const added = supplements.map((one) => ({
    ...one,
    readings: one.readings.filter(({ pciAddress }) => onBus.has(knownOr(pciAddress, "nowhere"))),
  }));
  const sources = [...(nvidia === undefined ? [] : [nvidia]), sysfs, ...added];
  const groups = groupByDevice(sources.flatMap(({ readings }) => readings));
  const faults = { nvidia, mismatch: mismatchFaults(sysfs.nvidiaModule, sysfs.nvidiaLibrary), sysfs: sysfs.unlisted };
  const present = withUniqueKeys(groups.map((readings) => deviceOf(readings, faults)));
  const gpus = [...present, ...missingOf(present, last)].toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
  return {
    at,
    gpus,
    pairs: pairsOf({ gpus, places: sysfs.places, pairs: sources.flatMap(({ pairs }) => pairs) }),
    sources: sources.flatMap(({ state, before = [] }) => [...before, state]),
  };
}

export interface Captured {
  readonly at: string;
  readonly readings: readonly AcceleratorReading[];
  readonly pairs: readonly PairReading[];
  readonly sources: readonly SourceState[];
}

/** A picture from captures alone, of a host whose bus nobody saw. */
export function composeCaptured({ at, readings, pairs, sources }: Captured): Accelerators {
  const gpus = withUniqueKeys(groupByDevice(readings).map((group) => deviceOf(group, NO_FAULTS)));
  return { at, gpus, pairs: pairsOf({ gpus, places: [], pairs }), sources: [...sources] };
}

const NO_FAULTS: Faults = { nvidia: undefined, mismatch: [], sysfs: undefined };

/** By place; a reading without one goes to the device with its UUID. */
function groupByDevice(readings: readonly AcceleratorReading[]): AcceleratorReading[][] {
  const groups: AcceleratorReading[][] = [];
  for (const reading of readings) {
    const same = groups.find((group) => group.some((other) => isOfSameDevice(reading, other)));
    if (same === undefined) groups.push([reading]);
    else same.push(reading);
  }
  return groups;
}

function isOfSameDevice(a: AcceleratorReading, b: AcceleratorReading): boolean {
  const [one, other] = [knownOr(a.pciAddress, undefined), knownOr(b.pciAddress, undefined)];
  return one !== undefined && other !== undefined ? one === other : a.uuid === b.uuid;
}

interface Faults {
  readonly nvidia: SourceReading | undefined;
  readonly mismatch: readonly HealthReason[];
  /** Where the files themselves could not be read in time. */
  readonly sysfs: HealthReason | undefined;
}

const RANK = { vendor: 0, pci: 1, capture: 2 } as const;

function deviceOf(readings: readonly AcceleratorReading[], faults: Faults): Accelerator {
  const [key] = readings.toSorted((a, b) => RANK[a.identity ?? "vendor"] - RANK[b.identity ?? "vendor"]);
  const merged = mergeReadings(readings);
  const gpu =
    key === undefined ? merged : { ...merged, uuid: GpuUuid.parse(key.uuid), identity: key.identity ?? "vendor" };
  const reasons = [...gpu.health.reasons];
  const isNvidia = gpu.vendor === "nvidia";
  if (!reasons.some(({ fence }) => fence)) {
    const isSilent =
      isNvidia &&
      faults.nvidia !== undefined &&
      !faults.nvidia.readings.some(({ uuid }) => readings.some((one) => one.uuid === uuid));
    if (isSilent && faults.nvidia !== undefined)
      reasons.push(silenceFault(faults.nvidia.state, faults.nvidia.unlisted));
    else reasons.push(...memoryFaults(gpu), ...rasFaults(gpu));
  }
  if (isNvidia) reasons.push(...faults.mismatch);
  if (!isNvidia && faults.sysfs !== undefined) reasons.push(faults.sysfs);
  return explained({ ...gpu, health: healthOf(reasons) });
}

const EXPLAINS: Readonly<Record<string, UnavailableReason>> = {
  lost: "lost",
  missing: "lost",
  "probe-timeout": "timeout",
  "driver-crash": "error",
  "driver-failed": "error",
  failing: "error",
  "reset-required": "reset-required",
  "driver-missing": "off",
  "given-away": "off",
};

/** What nobody read of a sick device was not read for its sickness. */
function explained(gpu: Accelerator): Accelerator {
  const reason = gpu.health.reasons.map(({ code }) => EXPLAINS[code]).find((one) => one !== undefined);
  return reason === undefined ? gpu : Accelerator.parse(replaced(gpu, reason));
}

function replaced(value: unknown, reason: UnavailableReason): unknown {
  if (isUnavailable(value)) return value.unavailable === "not-read" ? { unavailable: reason } : value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, replaced(inner, reason)]));
}

/** Two devices that say they are the same are both kept from being rented. */
function withUniqueKeys(gpus: readonly Accelerator[]): Accelerator[] {
  return gpus.map((gpu, at) => {
    if (!gpus.some((other, index) => index !== at && other.uuid === gpu.uuid)) return gpu;
    const message = `Another device says that it is ${gpu.uuid} too.`;
    const health = healthOf([...gpu.health.reasons, { code: "same-uuid", message, fence: true }]);
    const uuid = GpuUuid.parse(`PCI-${knownOr(gpu.pciAddress, `unknown-${at}`)}`);
    return { ...gpu, uuid, identity: "pci" as const, health };
  });
}

/** Known by its place alone, a device is the same that now has a UUID there. */
function missingOf(present: readonly Accelerator[], last: Accelerators | undefined): Accelerator[] {
  return (last?.gpus ?? [])
    .filter((gpu) => !present.some((one) => isSame(gpu, one)))
    .map((gpu) => {
      const { uuid, identity, vendor, model, pciAddress, serial, partitioned, partitions, pciId } = gpu;
      const health = { reasons: [missingDevice(gpu)] };
      return explained(
        mergeReadings([
          {
            uuid,
            identity,
            vendor,
            model,
            pciAddress,
            serial,
            partitioned,
            partitions,
            pciId,
            health,
            sources: ["memory"],
          },
        ]),
      );
    });
}

function isSame(before: Accelerator, now: Accelerator): boolean {
  if (before.uuid === now.uuid) return true;
  const isNamedByPlace = before.identity === "pci" || now.identity === "pci";
  return isNamedByPlace && !isUnavailable(before.pciAddress) && before.pciAddress === now.pciAddress;
}
