/**
 * What became different between two pictures of the host's accelerators, as events worth telling. Pure.
 */
import type { Accelerator, Accelerators } from "../../protocol/accelerator.ts";
import type { GpuChange } from "./inventory.ts";
import { knownOr } from "./known.ts";

export function changesBetween(before: Accelerators | undefined, now: Accelerators): GpuChange[] {
  return now.gpus.flatMap((gpu) => {
    const old = before?.gpus.find(({ uuid }) => uuid === gpu.uuid);
    return old === undefined ? appearance(gpu) : differences(old, gpu);
  });
}

function appearance(gpu: Accelerator): GpuChange[] {
  const { uuid } = gpu;
  const what = `${knownOr(gpu.model, "A device")} at ${knownOr(gpu.pciAddress, "an unknown place")}`;
  return [
    { kind: "appeared", uuid, message: `${what} is there.` },
    ...(gpu.health.state === "fenced" ? [fencedBy(gpu)] : []),
  ];
}

function differences(old: Accelerator, gpu: Accelerator): GpuChange[] {
  const { uuid } = gpu;
  const changes: GpuChange[] = [];
  if (isMissing(gpu) && !isMissing(old)) return [{ kind: "missing", uuid, message: reasonsText(gpu) }];
  if (isMissing(old) && !isMissing(gpu))
    changes.push({ kind: "returned", uuid, message: "The device is back on the bus." });
  const [wasFenced, isFenced] = [old.health.state === "fenced", gpu.health.state === "fenced"];
  if (isFenced && (!wasFenced || reasonCodes(old) !== reasonCodes(gpu))) changes.push(fencedBy(gpu));
  if (wasFenced && !isFenced)
    changes.push({ kind: "cleared", uuid, message: `It answers again: no more ${reasonCodes(old)}.` });
  const [from, to] = [knownOr(old.pciAddress, undefined), knownOr(gpu.pciAddress, undefined)];
  if (from !== undefined && to !== undefined && from !== to) {
    changes.push({ kind: "moved", uuid, message: `It moved from ${from} to ${to}.` });
  }
  if (partsText(old) !== partsText(gpu))
    changes.push({ kind: "partitioned", uuid, message: `Its parts are: ${partsText(gpu) || "none"}.` });
  const [was, is] = [knownOr(old.driver.version, undefined), knownOr(gpu.driver.version, undefined)];
  if (was !== undefined && is !== undefined && was !== is) {
    changes.push({ kind: "driver-changed", uuid, message: `Its driver was ${was} and is ${is}.` });
  }
  return changes;
}

function fencedBy(gpu: Accelerator): GpuChange {
  return { kind: "fenced", uuid: gpu.uuid, message: reasonsText(gpu) };
}

function isMissing({ health }: Accelerator): boolean {
  return health.reasons.some(({ code }) => code === "missing");
}

function reasonCodes({ health }: Accelerator): string {
  return health.reasons
    .filter(({ fence }) => fence)
    .map(({ code }) => code)
    .join(", ");
}

function reasonsText({ health }: Accelerator): string {
  return health.reasons
    .filter(({ fence }) => fence)
    .map(({ code, message }) => `${code}: ${message}`)
    .join(" ");
}

function partsText({ partitions }: Accelerator): string {
  return partitions
    .map(({ uuid }) => uuid)
    .toSorted()
    .join(", ");
}
