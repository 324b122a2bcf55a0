/**
 * Everything a host knows of its accelerators, in the same words whatever source said it.
 * What cannot be read is `{unavailable: reason}` and never zero. Readings may leave anything out; the schema fills it in.
 */
import { z } from "zod";

import { GpuUuid, Instant } from "./ids.ts";

/** Domain, bus, device and function in lower case; a domain beyond four digits keeps them. */
export const PciAddress = z.string().regex(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/);

export const AcceleratorVendor = z.enum(["nvidia", "amd", "intel"]);
export type AcceleratorVendor = z.infer<typeof AcceleratorVendor>;

/**
 * `not-read`: no source gave it; `not-supported`: this device or driver has none; `lost`: the device is off its bus;
 * `reset-required`: it answers nothing before a reset; `timeout`: the driver did not answer in time;
 * `off`: it is switched off; `error`: see `detail`.
 */
export const UnavailableReason = z.enum([
  "not-read",
  "not-supported",
  "no-permission",
  "deprecated",
  "off",
  "error",
  "timeout",
  "reset-required",
  "lost",
]);
export type UnavailableReason = z.infer<typeof UnavailableReason>;

export const Unavailable = z.strictObject({ unavailable: UnavailableReason, detail: z.string().max(300).optional() });
export type Unavailable = z.infer<typeof Unavailable>;

export type Known<T> = T | Unavailable;

function known<T extends z.ZodType>(value: T) {
  return z.union([value, Unavailable]).default({ unavailable: "not-read" });
}

const Text = z.string().min(1).max(200);
const Bytes = z.int().nonnegative();
const Count = z.int().nonnegative();
const Percent = z.number().min(0).max(100);
const Celsius = z.number().min(-60).max(250);
const Watts = z.number().nonnegative();
const Mhz = z.number().nonnegative();

const Memory = z.strictObject({
  totalBytes: known(Bytes),
  /** By programs; what the driver keeps for itself is `reservedBytes`. */
  usedBytes: known(Bytes),
  freeBytes: known(Bytes),
  reservedBytes: known(Bytes),
});

/** Why a clock is lower than it could be. `idle` and `power-cap` are normal, the hardware's own reasons are not. */
export const ThrottleReason = z.enum([
  "idle",
  "applications-clocks",
  "power-cap",
  "hw-slowdown",
  "sync-boost",
  "sw-thermal",
  "hw-thermal",
  "hw-power-brake",
  "display-clocks",
  "other",
]);
export type ThrottleReason = z.infer<typeof ThrottleReason>;

const Throttle = z.strictObject({
  reasons: known(z.array(ThrottleReason)),
  /** For how long in all, since the driver was loaded. */
  powerCapMicros: known(Count),
  swThermalMicros: known(Count),
  hwThermalMicros: known(Count),
  hwPowerBrakeMicros: known(Count),
});

/** `volatile` counts since the driver was loaded, `aggregate` over the life of the device. */
const Ecc = z.strictObject({
  enabled: known(z.boolean()),
  pending: known(z.boolean()),
  correctedVolatile: known(Count),
  uncorrectedVolatile: known(Count),
  correctedAggregate: known(Count),
  uncorrectedAggregate: known(Count),
  sramThresholdExceeded: known(z.boolean()),
});

/** Rows of memory that were replaced by spare ones, and on older devices pages that are no longer used. */
const Rows = z.strictObject({
  remappedCorrectable: known(Count),
  remappedUncorrectable: known(Count),
  pending: known(z.boolean()),
  failed: known(z.boolean()),
  banksWithoutSpare: known(Count),
  retiredPages: known(Count),
});

const Pcie = z.strictObject({
  generation: known(Count),
  width: known(Count),
  maxGeneration: known(Count),
  maxWidth: known(Count),
  replays: known(Count),
  correctableErrors: known(Count),
  fatalErrors: known(Count),
});

/** One NVLink or XGMI link of a device. `remote` is what is at its other end. */
export const FabricLink = z.strictObject({
  index: Count,
  kind: z.enum(["nvlink", "xgmi"]),
  active: z.boolean(),
  remote: known(z.enum(["gpu", "switch", "other"])),
  remotePciAddress: known(PciAddress),
  errors: known(Count),
});
export type FabricLink = z.infer<typeof FabricLink>;

/** The state of what joins the NVLink switches of a board; CUDA fails where it is not `completed`. */
const Fabric = z.strictObject({
  state: known(z.enum(["not-started", "in-progress", "completed"])),
  health: known(z.enum(["healthy", "degraded", "unhealthy"])),
});

export const RecoveryAction = z.enum(["none", "reset", "reboot", "drain-peers", "drain-and-reset", "recover-imex"]);
export type RecoveryAction = z.infer<typeof RecoveryAction>;

export const GpuProcess = z.strictObject({
  pid: z.int().positive(),
  /** As the host sees it. */
  memoryBytes: known(Bytes),
  partition: GpuUuid.optional(),
});
export type GpuProcess = z.infer<typeof GpuProcess>;

/** A part of a device that is rented like a device: a MIG instance, or one of AMD's compute partitions. */
export const Partition = z.strictObject({
  uuid: GpuUuid,
  kind: z.enum(["mig", "xcp", "tile"]),
  parent: GpuUuid,
  index: Count,
  /** As the vendor calls it, such as `1g.10gb` or `CPX`. */
  profile: known(Text),
  /** Out of the whole device: MIG has seven of compute and eight of memory. */
  computeSlices: known(Count),
  memorySlices: known(Count),
  /** The ids that the driver gives instances, not unique over devices. */
  gpuInstance: known(Count),
  computeInstance: known(Count),
  memory: Memory.prefault({}),
  /** Device files that are this unit's own, below /dev. */
  nodes: z.array(Text).default([]),
});
export type Partition = z.infer<typeof Partition>;

/**
 * Why a device is not offered, or soon may not be. `fence` keeps it from being rented. The codes are listed in
 * docs/hardware.md; these are found while looking for devices, the health engine adds others.
 */
export const HealthReason = z.strictObject({
  code: z.string().regex(/^[a-z0-9-]+$/),
  message: z.string().max(400),
  fence: z.boolean(),
});
export type HealthReason = z.infer<typeof HealthReason>;

const Health = z.strictObject({
  state: z.enum(["healthy", "suspect", "fenced"]).default("healthy"),
  reasons: z.array(HealthReason).default([]),
});

export const Accelerator = z.strictObject({
  /** The vendor's UUID where it has one, else its place on the bus. The key of everything; never an index. */
  uuid: GpuUuid,
  /** `pci`: it has no UUID, or could not be asked for it; `capture`: only its place in a capture is known. */
  identity: z.enum(["vendor", "pci", "capture"]).default("vendor"),
  vendor: AcceleratorVendor,
  model: known(Text),
  pciAddress: known(PciAddress),
  /** Vendor and device as four hex digits each, such as `10de:2330`. */
  pciId: known(z.string().regex(/^[0-9a-f]{4}:[0-9a-f]{4}$/)),
  serial: known(Text),
  /** Where the vendor's tools list it now; it moves. */
  index: known(Count),
  driver: z
    .strictObject({
      /** The kernel module that is bound to it. */
      name: known(Text),
      version: known(Text),
      /** Of what programs link against: CUDA, ROCm, Level Zero. */
      runtimeVersion: known(Text),
      firmware: known(Text),
    })
    .prefault({}),
  numaNode: known(Count),
  /** The CPUs next to it, as the kernel lists them: `0-31,64-95`. */
  localCpus: known(Text),
  memory: Memory.prefault({}),
  health: Health.prefault({}),
  utilisation: z.strictObject({ gpuPercent: known(Percent), memoryPercent: known(Percent) }).prefault({}),
  temperature: z
    .strictObject({
      gpuCelsius: known(Celsius),
      memoryCelsius: known(Celsius),
      /** How far below its limit it is. */
      marginCelsius: known(z.number()),
      slowdownCelsius: known(Celsius),
    })
    .prefault({}),
  fanPercent: known(z.number().min(0).max(200)),
  power: z
    .strictObject({
      drawWatts: known(Watts),
      limitWatts: known(Watts),
      defaultLimitWatts: known(Watts),
      energyMillijoules: known(Count),
    })
    .prefault({}),
  clocks: z
    .strictObject({ coreMhz: known(Mhz), memoryMhz: known(Mhz), maxCoreMhz: known(Mhz), maxMemoryMhz: known(Mhz) })
    .prefault({}),
  /** As the vendor calls it; `P0` is the fastest of NVIDIA's. */
  performanceState: known(Text),
  throttle: Throttle.prefault({}),
  ecc: Ecc.prefault({}),
  rows: Rows.prefault({}),
  pcie: Pcie.prefault({}),
  fabric: Fabric.prefault({}),
  fabricLinks: known(z.array(FabricLink)),
  recoveryAction: known(RecoveryAction),
  persistence: known(z.boolean()),
  processes: known(z.array(GpuProcess)),
  /** Whether it is cut into partitions, which then are what is rented. */
  partitioned: known(z.boolean()),
  partitions: z.array(Partition).default([]),
  /** Device files that are its own, below /dev. */
  nodes: z.array(Text).default([]),
  /** Which sources said something of it, the one that is trusted most first. */
  sources: z.array(Text).default([]),
  /** Made up for development; never offered outside a development network. */
  simulated: z.boolean().default(false),
});
export type Accelerator = z.infer<typeof Accelerator>;
/** What one source says of a device; it leaves out what it does not know. */
export type AcceleratorReading = z.input<typeof Accelerator>;

/** How near two devices are on the PCI tree, the nearest first. */
export const PciPath = z.enum(["same-board", "one-switch", "switches", "host-bridge", "numa-node", "system"]);
export type PciPath = z.infer<typeof PciPath>;

/** One pair of devices, `a` before `b` in the order of their UUIDs. */
export const GpuPair = z.strictObject({
  a: GpuUuid,
  b: GpuUuid,
  path: known(PciPath),
  /** Direct links between the two, or where both end at switches the fewer of the two's. */
  nvlinks: known(Count),
  overSwitch: z.boolean().default(false),
  /** KFD's weight of the way between the two over XGMI: one hop is 15 or less. */
  xgmiWeight: known(Count),
});
export type GpuPair = z.infer<typeof GpuPair>;
export type GpuPairReading = z.input<typeof GpuPair>;

/** `absent`: nothing to ask, as without the driver; `probe-timeout`: it did not answer in time, or still hangs. */
export const SourceState = z.strictObject({
  name: Text,
  state: z.enum(["ok", "absent", "failed", "probe-timeout"]),
  detail: z.string().max(400).optional(),
  tookMs: z.number().nonnegative().optional(),
});
export type SourceState = z.infer<typeof SourceState>;

export const Accelerators = z.strictObject({
  at: Instant,
  gpus: z.array(Accelerator),
  pairs: z.array(GpuPair),
  sources: z.array(SourceState),
});
export type Accelerators = z.infer<typeof Accelerators>;
