/**
 * One look at everything that sysfs and procfs say of accelerators. It blocks as long as a driver lets it.
 */
import type { AcceleratorReading } from "../../../protocol/accelerator.ts";
import { amdReading } from "../amd/drm.ts";
import { readKfdNodes, xgmiWeights } from "../amd/kfd.ts";
import { intelReading } from "../intel/drm.ts";
import { gaudiReading } from "../intel/gaudi.ts";
import { knownOr } from "../known.ts";
import { mergeReadings } from "../merge.ts";
import { libraryVersion, moduleVersion, procReading } from "../nvidia/procfs.ts";
import type { PairReading } from "../source.ts";
import { findPciDevices, type PciDevice, pciReading } from "./pci.ts";
import type { Root } from "./root.ts";
import type { Place } from "./tree.ts";

export interface SysfsScan {
  readonly readings: readonly AcceleratorReading[];
  readonly pairs: readonly PairReading[];
  readonly places: readonly Place[];
  /** Of NVIDIA's kernel module; undefined where it is not loaded. */
  readonly nvidiaModule: string | undefined;
  /** Of the library that new programs get; undefined where none is installed. */
  readonly nvidiaLibrary: string | undefined;
}

export function scanSysfs(root: Root): SysfsScan {
  const devices = findPciDevices(root);
  const kfd = devices.some(({ vendor }) => vendor === "amd") ? readKfdNodes(root) : [];
  const read = (device: PciDevice): AcceleratorReading => {
    if (device.vendor === "amd") {
      const nodes = kfd.filter(({ cardAddress }) => cardAddress === device.address);
      return amdReading(root, device, nodes);
    }
    if (device.vendor === "intel") return device.isGaudi ? gaudiReading(root, device) : intelReading(root, device);
    const proc = procReading(root, device);
    return mergeReadings([...(proc === undefined ? [] : [proc]), pciReading(root, device)]);
  };
  const readings = devices.map(read);
  const places = devices.map(({ address, path }, at) => ({
    address,
    path,
    numaNode: knownOr(readings[at]?.numaNode, undefined),
  }));
  return {
    readings,
    pairs: xgmiWeights(kfd).map(({ a, b, weight }) => ({ a, b, xgmiWeight: weight })),
    places,
    nvidiaModule: knownOr(moduleVersion(root), undefined),
    nvidiaLibrary: libraryVersion(root),
  };
}
