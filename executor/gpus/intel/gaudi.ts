/**
 * A Gaudi from the files of its driver: its state and its device files. What it measures only hl-smi says.
 */
import type { AcceleratorReading, HealthReason } from "../../../protocol/accelerator.ts";
import { GpuUuid } from "../../../protocol/ids.ts";
import { type PciDevice, pciReading } from "../sysfs/pci.ts";
import { type Root, textOr } from "../sysfs/root.ts";

const MODELS: Readonly<Record<string, string>> = {
  "1000": "Intel Gaudi",
  "1010": "Intel Gaudi",
  "1020": "Intel Gaudi 2",
  "1030": "Intel Gaudi 3",
  "1060": "Intel Gaudi 3",
  "1061": "Intel Gaudi 3",
  "1062": "Intel Gaudi 3",
  "1063": "Intel Gaudi 3",
};

export function gaudiReading(root: Root, device: PciDevice): AcceleratorReading {
  const at = `/sys/bus/pci/devices/${device.address}`;
  const number = device.id.split(":")[1] ?? "";
  const name = root.names(`${at}/accel`).find((one) => /^accel\d+$/.test(one));
  const old = root.names(`${at}/habanalabs`).find((one) => /^hl\d+$/.test(one));
  const status = textOr(root, name === undefined ? `${at}/status` : `${at}/accel/${name}/device/status`, "");
  const base = pciReading(root, device);
  return {
    ...base,
    uuid: GpuUuid.parse(`GAUDI-${device.address}`),
    model: MODELS[number] ?? `Intel Gaudi ${number}`,
    nodes: nodesOf(name, old),
    health: { reasons: [...(base.health?.reasons ?? []), ...statusFault(status)] },
  };
}

function nodesOf(name: string | undefined, old: string | undefined): string[] {
  if (name !== undefined) return [`accel/${name}`, `accel/${name.replace("accel", "accel_controlD")}`];
  return old === undefined ? [] : [old, old.replace("hl", "hl_controlD")];
}

function statusFault(status: string): HealthReason[] {
  if (status === "" || /^operational$/i.test(status)) return [];
  return [{ code: "not-operational", message: `The driver says of the device: ${status.slice(0, 100)}.`, fence: true }];
}
