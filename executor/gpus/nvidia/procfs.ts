/**
 * What NVIDIA's kernel module says in /proc/driver/nvidia: names and UUIDs without a tool, also when the library fails.
 */
import type { AcceleratorReading, Known } from "../../../protocol/accelerator.ts";
import { GpuUuid } from "../../../protocol/ids.ts";
import { isUnavailable, unavailable } from "../known.ts";
import type { PciDevice } from "../sysfs/pci.ts";
import type { Root } from "../sysfs/root.ts";

/** Undefined where the module does not show the device. */
export function procReading(root: Root, { address }: PciDevice): AcceleratorReading | undefined {
  const text = root.text(`/proc/driver/nvidia/gpus/${address}/information`);
  if (isUnavailable(text)) return undefined;
  const fields = new Map(text.split("\n").map((line) => splitField(line)));
  const uuid = fields.get("GPU UUID") ?? "";
  const minor = fields.get("Device Minor");
  const hasUuid = /^GPU-[0-9a-f-]{36}$/.test(uuid);
  return {
    uuid: GpuUuid.parse(hasUuid ? uuid : `PCI-${address}`),
    identity: hasUuid ? "vendor" : "pci",
    vendor: "nvidia",
    pciAddress: address,
    model: fields.get("Model") || unavailable("error"),
    driver: { version: moduleVersion(root), firmware: fields.get("GPU Firmware") || unavailable("not-supported") },
    nodes: minor === undefined || !/^\d+$/.test(minor) ? [] : [`nvidia${minor}`],
    health: {
      reasons:
        fields.get("GPU Excluded") === "Yes"
          ? [{ code: "excluded", message: "The driver was told to leave this device alone.", fence: true }]
          : [],
    },
    sources: ["procfs"],
  };
}

function splitField(line: string): [string, string] {
  const at = line.indexOf(":");
  return at < 0 ? [line, ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
}

/** The version of the module that runs, which is not that of a library that was upgraded since. */
export function moduleVersion(root: Root): Known<string> {
  const text = root.text("/proc/driver/nvidia/version");
  if (isUnavailable(text)) return text;
  const version = /Kernel Module\s+(?:for \S+\s+)?(\d+(?:\.\d+)+)/.exec(text)?.[1];
  return version ?? unavailable("error", text.slice(0, 100));
}

/** Where drivers' packages put the management library. */
export const LIBRARY_FOLDERS = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];

/** From the name of the file that the library's link leads to. */
export function libraryVersion(root: Root): string | undefined {
  const files = LIBRARY_FOLDERS.flatMap((folder) => root.real(`${folder}/libnvidia-ml.so.1`) ?? []);
  return files
    .map((file) => /libnvidia-ml\.so\.(\d+(?:\.\d+)+)$/.exec(file)?.[1])
    .find((version) => version !== undefined);
}
