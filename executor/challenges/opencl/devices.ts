/**
 * The devices that OpenCL shows, and which of them is meant. A GPU is known by its place on the PCI bus or by its UUID, where
 * its driver tells them; an index is for machines where it tells neither.
 */
import { z } from "zod";

import { ProofError } from "../failure.ts";
import { DEVICE, type Handle, type OpenCl, PLATFORM, STATUS } from "./functions.ts";
import { check } from "./library.ts";

const MAX_LISTED = 64;
const MAX_INFO_BYTES = 16_384;

export const OpenClDevice = z.strictObject({
  /** Among all that are listed. */
  index: z.int().nonnegative(),
  platform: z.string(),
  name: z.string(),
  driver: z.string(),
  /** `10de` and so on. */
  vendorId: z.string(),
  /** A processor that plays a GPU, as PoCL does: never to be shown as one. */
  isCpu: z.boolean(),
  memoryBytes: z.int(),
  maxAllocationBytes: z.int(),
  pciAddress: z.string().optional(),
  /** 32 hex digits with dashes, without the vendor's prefix. */
  uuid: z.string().optional(),
});
export type OpenClDevice = z.infer<typeof OpenClDevice>;

/** All that is given must be so. */
export const DeviceChoice = z.strictObject({
  pciAddress: z.string().optional(),
  /** As the vendor's tools write it: `GPU-` may come before it. */
  uuid: z.string().optional(),
  /** Part of the platform's name. */
  platform: z.string().optional(),
  vendorId: z.string().optional(),
  index: z.int().optional(),
  /** For tests and development. */
  allowCpu: z.boolean().default(false),
});
export type DeviceChoice = z.input<typeof DeviceChoice>;

export interface FoundDevice extends OpenClDevice {
  readonly handle: Handle;
}

/** Throws `no-platform` where OpenCL has none. */
export function listDevices(opencl: OpenCl): FoundDevice[] {
  const platforms = handles((room, count) => opencl.call("clGetPlatformIDs", MAX_LISTED, room, count), "platform");
  if (platforms.length === 0) throw new ProofError("no-platform", "OpenCL is installed, but no vendor's part of it.");
  return platforms
    .flatMap((platform) => {
      const name = text(info(opencl, "clGetPlatformInfo", platform, PLATFORM.name));
      return handles(
        (room, count) => opencl.call("clGetDeviceIDs", platform, DEVICE.typeAll, MAX_LISTED, room, count),
        "device",
      ).map((handle) => ({ handle, platform: name }));
    })
    .map(({ handle, platform }, index) => ({ ...describe(opencl, handle), handle, platform, index }));
}

/** The one device that fits. Throws `no-device` when none does, or more than one. */
export function chooseDevice(devices: readonly FoundDevice[], choice: z.output<typeof DeviceChoice>): FoundDevice {
  const fitting = devices.filter((device) => fits(device, choice));
  const [only] = fitting;
  if (only !== undefined && fitting.length === 1) return only;
  const shown = devices.map(({ platform, name, pciAddress = "no address" }) => `${name} (${platform}, ${pciAddress})`);
  throw new ProofError(
    "no-device",
    `${fitting.length === 0 ? "No device fits" : "More than one device fits"} ${JSON.stringify(choice)}: ${shown.join("; ")}.`,
  );
}

function fits(device: OpenClDevice, choice: z.output<typeof DeviceChoice>): boolean {
  const { pciAddress, uuid, platform, vendorId, index, allowCpu } = choice;
  return (
    (allowCpu || !device.isCpu) &&
    (pciAddress === undefined || device.pciAddress === pciAddress) &&
    (uuid === undefined || (device.uuid !== undefined && uuid.toLowerCase().endsWith(device.uuid))) &&
    (platform === undefined || device.platform.toLowerCase().includes(platform.toLowerCase())) &&
    (vendorId === undefined || device.vendorId === vendorId) &&
    (index === undefined || device.index === index)
  );
}

function describe(opencl: OpenCl, handle: Handle): Omit<OpenClDevice, "index" | "platform"> {
  const ask = (key: number): Buffer => info(opencl, "clGetDeviceInfo", handle, key);
  const extensions = text(ask(DEVICE.extensions));
  const pciAddress = pciAddressOf(extensions, ask);
  const uuid = extensions.includes("cl_khr_device_uuid") ? uuidText(ask(DEVICE.uuid)) : undefined;
  return {
    name: text(ask(DEVICE.name)),
    driver: text(ask(DEVICE.driver)),
    vendorId: ask(DEVICE.vendorId).readUInt32LE(0).toString(16).padStart(4, "0"),
    isCpu: (ask(DEVICE.type).readBigUInt64LE(0) & DEVICE.typeCpu) !== 0n,
    memoryBytes: Number(ask(DEVICE.globalMemory).readBigUInt64LE(0)),
    maxAllocationBytes: Number(ask(DEVICE.maxAllocation).readBigUInt64LE(0)),
    ...(pciAddress === undefined ? {} : { pciAddress }),
    ...(uuid === undefined ? {} : { uuid }),
  };
}

/** As protocol/accelerator.ts writes it: `0000:41:00.0`. */
export function pciAddressOf(extensions: string, ask: (key: number) => Buffer): string | undefined {
  const word = (key: number): number => ask(key).readUInt32LE(0);
  if (extensions.includes("cl_khr_pci_bus_info")) {
    const place = ask(DEVICE.pciBusInfo);
    const [domain, bus, device, fn] = [0, 4, 8, 12].map((at) => place.readUInt32LE(at));
    return address(domain, bus, device, fn);
  }
  if (extensions.includes("cl_nv_device_attribute_query")) {
    const slot = word(DEVICE.nvidiaSlot);
    return address(word(DEVICE.nvidiaDomain), word(DEVICE.nvidiaBus), slot >>> 3, slot & 7);
  }
  if (extensions.includes("cl_amd_device_attribute_query")) {
    const [bus, device, fn] = ask(DEVICE.amdTopology).subarray(21, 24);
    return address(0, bus, device, fn);
  }
  return undefined;
}

function address(domain = 0, bus = 0, device = 0, fn = 0): string {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
  return `${hex(domain, 4)}:${hex(bus, 2)}:${hex(device, 2)}.${fn}`;
}

function uuidText(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-");
}

function handles(ask: (room: Buffer, count: Buffer) => number, what: string): bigint[] {
  const room = Buffer.alloc(8 * MAX_LISTED);
  const count = Buffer.alloc(4);
  const status = ask(room, count);
  if (status === STATUS.platformNotFound || status === STATUS.deviceNotFound) return [];
  check(`Asking for each ${what}`, status);
  return Array.from({ length: Math.min(count.readUInt32LE(0), MAX_LISTED) }, (_, index) =>
    room.readBigUInt64LE(8 * index),
  );
}

function info(opencl: OpenCl, name: "clGetPlatformInfo" | "clGetDeviceInfo", handle: Handle, key: number): Buffer {
  const room = Buffer.alloc(MAX_INFO_BYTES);
  const size = Buffer.alloc(8);
  check(name, opencl.call(name, handle, key, room.length, room, size));
  return room.subarray(0, Number(size.readBigUInt64LE(0)));
}

function text(bytes: Buffer): string {
  return bytes.toString("utf8").replace(/\0.*$/s, "").trim();
}
