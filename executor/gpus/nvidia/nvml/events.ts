/**
 * What the driver tells of its own accord: Xids, ECC errors, a device that goes away.
 */
import type { Clock } from "../../../../common/clock.ts";
import { type Nvml, RC } from "./functions.ts";
import type { NvmlEvent } from "./words.ts";

const KINDS: readonly (readonly [bit: bigint, kind: NvmlEvent["kind"]])[] = [
  [0x8n, "xid"],
  [0x2n, "ecc-double"],
  [0x1n, "ecc-single"],
  [0x100n, "mig-changed"],
  [0x4000n, "unavailable"],
  [0x8000n, "recovery-action"],
];
const WANTED = KINDS.reduce((all, [bit]) => all | bit, 0n);
/** It holds a thread for so long, and each end of it costs as much as reading a device. */
const WAIT_MS = 10_000;
const RETRY_MS = 1_000;
const EVENT_BYTES = 32;
const WHOLE_DEVICE = 2 ** 32 - 1;

export interface WatchedDevice {
  readonly handle: bigint;
  readonly uuid: string;
}

export interface EventWatch {
  /** Listens to one more device; harmless where the driver has no events. */
  add(device: WatchedDevice): Promise<void>;
}

/** Tells what comes for as long as the process lives. */
export function watchEvents(nvml: Nvml, tell: (event: NvmlEvent) => void, clock: Clock): EventWatch {
  const devices: WatchedDevice[] = [];
  let opening: Promise<bigint | undefined> | undefined;
  return {
    add: async (device) => {
      devices.push(device);
      const set = await (opening ??= openSet(nvml));
      if (set === undefined) return;
      if (devices[0] === device) void waitForEver(nvml, { set, devices, tell, clock });
      await register(nvml, device, set);
    },
  };
}

async function openSet(nvml: Nvml): Promise<bigint | undefined> {
  const memory = Buffer.alloc(8);
  if (!nvml.has("nvmlEventSetWait_v2")) return undefined;
  return (await nvml.call("nvmlEventSetCreate", memory)) === RC.success ? memory.readBigUInt64LE(0) : undefined;
}

interface Watched {
  readonly set: bigint;
  readonly devices: readonly WatchedDevice[];
  readonly tell: (event: NvmlEvent) => void;
  readonly clock: Clock;
}

async function waitForEver(nvml: Nvml, { set, devices, tell, clock }: Watched): Promise<never> {
  for (;;) {
    const data = Buffer.alloc(EVENT_BYTES);
    const code = await nvml.call("nvmlEventSetWait_v2", set, data, WAIT_MS);
    if (code === RC.success) tell(eventIn(data, devices));
    else if (code !== RC.timeout) await clock.sleep(RETRY_MS, new AbortController().signal);
  }
}

async function register(nvml: Nvml, { handle }: WatchedDevice, set: bigint): Promise<void> {
  const supported = Buffer.alloc(8);
  const code = await nvml.call("nvmlDeviceGetSupportedEventTypes", handle, supported);
  const types = code === RC.success ? supported.readBigUInt64LE(0) & WANTED : 0n;
  if (types !== 0n) await nvml.call("nvmlDeviceRegisterEvents", handle, types, set);
}

function eventIn(data: Buffer, devices: readonly WatchedDevice[]): NvmlEvent {
  const type = data.readBigUInt64LE(8);
  const instance = data.readUInt32LE(24);
  return {
    uuid: devices.find(({ handle }) => handle === data.readBigUInt64LE(0))?.uuid ?? "unknown",
    kind: KINDS.find(([bit]) => (type & bit) !== 0n)?.[1] ?? "other",
    data: Number(data.readBigUInt64LE(16) & 0xffffffffn),
    ...(instance === WHOLE_DEVICE ? {} : { gpuInstance: instance }),
  };
}
