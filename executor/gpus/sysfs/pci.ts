/**
 * The accelerators on the PCI bus, whatever their drivers do: the ground truth of how many there should be.
 * Graphics that are part of a processor, and its small AI units, are none.
 */
import type { AcceleratorReading, AcceleratorVendor, HealthReason, Known } from "../../../protocol/accelerator.ts";
import { GpuUuid } from "../../../protocol/ids.ts";
import { isUnavailable, knownOr, mapKnown, unavailable } from "../known.ts";
import { pciAddress } from "../pci-address.ts";
import { numberAt, type Root, textOr } from "./root.ts";

export interface PciDevice {
  readonly address: string;
  readonly vendor: AcceleratorVendor;
  /** Gaudi speaks to other tools and another driver than Intel's GPUs. */
  readonly isGaudi: boolean;
  /** Vendor and device, four hex digits each. */
  readonly id: string;
  readonly driver: string | undefined;
  /** Below /sys/devices, through every bridge. */
  readonly path: string | undefined;
}

const DEVICES = "/sys/bus/pci/devices";
const CLASSES = ["0300", "0302", "0380", "1200"];
const VENDORS: Readonly<Record<string, AcceleratorVendor>> = {
  "10de": "nvidia",
  "1002": "amd",
  "8086": "intel",
  "1da3": "intel",
};
const DRIVERS: Readonly<Record<AcceleratorVendor, readonly string[]>> = {
  nvidia: ["nvidia"],
  amd: ["amdgpu"],
  intel: ["i915", "xe", "habanalabs"],
};
const GAUDI = "1da3";
const INTEL = "8086";

export function findPciDevices(root: Root): PciDevice[] {
  return root.names(DEVICES).flatMap((name) => {
    const address = pciAddress(name);
    const at = `${DEVICES}/${name}`;
    const vendorId = hex(textOr(root, `${at}/vendor`, ""));
    const vendor = VENDORS[vendorId];
    const deviceId = hex(textOr(root, `${at}/device`, ""));
    const classCode = hex(textOr(root, `${at}/class`, "")).slice(0, 4);
    if (address === undefined || vendor === undefined || !CLASSES.includes(classCode)) return [];
    const id = `${vendorId}:${deviceId}`;
    if (isPartOfProcessor({ address, id, classCode })) return [];
    const driver = root.real(`${at}/driver`)?.split("/").at(-1);
    return [{ address, vendor, isGaudi: vendorId === GAUDI, id, driver, path: root.real(at) }];
  });
}

function hex(text: string): string {
  return text.replace(/^0x/, "").toLowerCase();
}

const AMD_DISCRETE = { from: 0x6600, to: 0x7fff };
/** DG1, Xe-HP, Alchemist and Flex, Max, Battlemage, Crescent Island. */
const INTEL_DISCRETE = /^(49|02|56|0bd|e2|67)/;

/**
 * AMD numbers its processors' graphics outside of the discrete range. Intel's processors have theirs at 00:02.0, and their
 * AI units pose as processing accelerators; a discrete card that was passed to a virtual machine may be there too.
 */
function isPartOfProcessor(device: { address: string; id: string; classCode: string }): boolean {
  const [vendor = "", model = ""] = device.id.split(":");
  if (vendor === "1002") {
    const number = Number.parseInt(model, 16);
    return number < AMD_DISCRETE.from || number > AMD_DISCRETE.to;
  }
  if (vendor !== INTEL) return false;
  return !INTEL_DISCRETE.test(model) && (device.classCode === "1200" || device.address.endsWith(":00:02.0"));
}

/** What the bus alone says of a device; its key is its place until its vendor's driver gives a better one. */
export function pciReading(root: Root, device: PciDevice): AcceleratorReading {
  const at = `${DEVICES}/${device.address}`;
  const numa = numberAt(root, `${at}/numa_node`);
  return {
    uuid: GpuUuid.parse(`PCI-${device.address}`),
    identity: "pci",
    vendor: device.vendor,
    pciAddress: device.address,
    pciId: device.id,
    driver: {
      name: device.driver ?? unavailable("not-supported", "No driver is bound to the device."),
      version: device.driver === undefined ? unavailable("off") : moduleVersion(root, device.driver),
    },
    numaNode: mapKnownNode(numa),
    localCpus: nonEmpty(root.text(`${at}/local_cpulist`)),
    pcie: {
      generation: generationAt(root, `${at}/current_link_speed`),
      width: widthAt(root, `${at}/current_link_width`),
      maxGeneration: generationAt(root, `${at}/max_link_speed`),
      maxWidth: widthAt(root, `${at}/max_link_width`),
      correctableErrors: errorsAt(root, `${at}/aer_dev_correctable`, "TOTAL_ERR_COR"),
      fatalErrors: errorsAt(root, `${at}/aer_dev_fatal`, "TOTAL_ERR_FATAL"),
    },
    health: { reasons: bindingFaults(root, device) },
    sources: ["sysfs"],
  };
}

/** -1 is the kernel's word for a machine without nodes. */
function mapKnownNode(node: Known<number>): Known<number> {
  return !isUnavailable(node) && node < 0 ? unavailable("not-supported") : node;
}

/** Modules that come with the kernel have no version but its own. */
function moduleVersion(root: Root, name: string): Known<string> {
  const own = nonEmpty(root.text(`/sys/module/${name}/version`));
  return isUnavailable(own)
    ? mapKnown(nonEmpty(root.text("/proc/sys/kernel/osrelease")), (text) => `kernel ${text}`)
    : own;
}

export function nonEmpty(text: Known<string>): Known<string> {
  return text === "" ? unavailable("not-supported") : mapKnown(text, (value) => value.slice(0, 200));
}

const GENERATIONS = [2.5, 5, 8, 16, 32, 64];

function generationAt(root: Root, path: string): Known<number> {
  return mapOr(root.text(path), (text) => {
    const at = GENERATIONS.indexOf(Number.parseFloat(text));
    return at < 0 ? undefined : at + 1;
  });
}

/** 0 and 255 are what a device answers that is not there any more. */
function widthAt(root: Root, path: string): Known<number> {
  return mapOr(root.text(path), (text) => {
    const width = Number(text);
    return Number.isInteger(width) && width > 0 && width <= 32 ? width : undefined;
  });
}

function errorsAt(root: Root, path: string, total: string): Known<number> {
  return mapOr(root.text(path), (text) => {
    const line = text.split("\n").find((one) => one.startsWith(total));
    return line === undefined ? undefined : Number(line.split(/\s+/)[1]);
  });
}

function mapOr(text: Known<string>, parse: (text: string) => number | undefined): Known<number> {
  if (isUnavailable(text)) return text;
  return parse(text) ?? unavailable("error", text.slice(0, 60));
}

const VFIO = "vfio-pci";

function bindingFaults(root: Root, device: PciDevice): HealthReason[] {
  const fence = true;
  const start = knownOr(root.bytes(`${DEVICES}/${device.address}/config`, 4), Buffer.alloc(0));
  if (start.length === 4 && start.every((byte) => byte === 0xff)) {
    return [{ code: "lost", message: "The device has fallen off the bus: it answers no more.", fence }];
  }
  if (device.driver === VFIO) {
    return [{ code: "given-away", message: "The device is bound to vfio-pci, for a virtual machine.", fence }];
  }
  if (device.driver === undefined) {
    return [
      { code: "driver-missing", message: "No driver is bound to the device: install its vendor's driver.", fence },
    ];
  }
  if (!DRIVERS[device.vendor].includes(device.driver)) {
    return [{ code: "driver-unsuitable", message: `The driver ${device.driver} cannot be used for computing.`, fence }];
  }
  return [];
}
