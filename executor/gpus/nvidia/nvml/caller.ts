/**
 * The thread that calls NVIDIA's library. A call that hangs holds this thread and no other; see worker.ts, which has it.
 */
import { parentPort } from "node:worker_threads";

import { systemClock } from "../../../../common/clock.ts";
import { WorkerRequest } from "../../children/messages.ts";
import { knownOr } from "../../known.ts";
import type { Depth } from "../../source.ts";
import {
  type DeviceIdentity,
  type DeviceLook,
  type Mig,
  readDevice,
  readIdentity,
  readVersions,
  type SystemVersions,
} from "./device.ts";
import { type EventWatch, watchEvents } from "./events.ts";
import { type Nvml, type NvmlFunction, RC, SIGNATURES } from "./functions.ts";
import { loadNvml } from "./library.ts";
import type { LinkEnds } from "./slow.ts";
import { CallerRequest, type NvmlEvent } from "./words.ts";

interface Device {
  readonly handle: bigint;
  readonly identity: DeviceIdentity;
  mig: Mig | undefined;
  readonly ends: LinkEnds;
}

interface Open {
  readonly nvml: Nvml;
  readonly versions: SystemVersions;
  /** Of one thread alone: two would share what comes. */
  readonly events: EventWatch | undefined;
}

const clock = systemClock();
const devices = new Map<number, Device>();
let opened: Open | undefined;

const tell = (event: NvmlEvent): void => parentPort?.postMessage({ event });

parentPort?.on("message", (message) => {
  const { id, body } = WorkerRequest.parse(message);
  answer(CallerRequest.parse(body)).then(
    (value) => parentPort?.postMessage({ id, value }),
    (error: unknown) => parentPort?.postMessage({ id, error: error instanceof Error ? error.message : String(error) }),
  );
});

async function answer(request: CallerRequest): Promise<object> {
  switch (request.do) {
    case "open":
      return open(request.libraries, request.events);
    case "devices":
      return { count: await countDevices(theOpen()) };
    case "read":
      return read(theOpen(), request.index, request.depth);
  }
}

function theOpen(): Open {
  if (opened === undefined) throw new Error("The library is not open.");
  return opened;
}

async function open(libraries: readonly string[], events: boolean): Promise<object> {
  const loaded = loadNvml(libraries);
  if ("absent" in loaded) return loaded;
  const { nvml } = loaded;
  const code = await nvml.call("nvmlInit_v2");
  if (code === RC.driverNotLoaded) return { absent: "The driver is not loaded." };
  if (code === RC.mismatch) throw new Error("The driver's library and its kernel module are of different versions.");
  if (code !== RC.success) throw new Error(`nvmlInit_v2 returned ${code}.`);
  const versions = await readVersions(nvml);
  opened = { nvml, versions, events: events ? watchEvents(nvml, tell, clock) : undefined };
  return { driver: knownOr(versions.driver, "unknown"), missing: missingOf(nvml) };
}

function missingOf(nvml: Nvml): NvmlFunction[] {
  const missing: NvmlFunction[] = [];
  for (const name in SIGNATURES) {
    if (isFunction(name) && !nvml.has(name)) missing.push(name);
  }
  return missing;
}

function isFunction(name: string): name is NvmlFunction {
  return Object.hasOwn(SIGNATURES, name);
}

async function countDevices({ nvml }: Open): Promise<number> {
  const count = Buffer.alloc(4);
  const code = await nvml.call("nvmlDeviceGetCount_v2", count);
  if (code !== RC.success) throw new Error(`nvmlDeviceGetCount_v2 returned ${code}.`);
  return count.readUInt32LE(0);
}

async function read(open: Open, index: number, depth: Depth): Promise<object> {
  const seen = await look(open, index, depth);
  return seen === undefined ? { nameless: `Device ${index} does not say who it is.` } : { reading: seen.reading };
}

async function look(open: Open, index: number, depth: Depth): Promise<DeviceLook | undefined> {
  const device = devices.get(index) ?? (await openDevice(open, index));
  if (device === undefined) return undefined;
  const seen = await readDevice(open.nvml, { ...device, index, depth, versions: open.versions });
  if (seen !== undefined) device.mig = seen.mig;
  return seen;
}

/** A device that is lost answers so already here. Then its handle is asked for again the next time. */
async function openDevice({ nvml, events }: Open, index: number): Promise<Device | undefined> {
  const memory = Buffer.alloc(8);
  if ((await nvml.call("nvmlDeviceGetHandleByIndex_v2", index, memory)) !== RC.success) return undefined;
  const handle = memory.readBigUInt64LE(0);
  const identity = await readIdentity(nvml, handle);
  const name = knownOr(identity.uuid, knownOr(identity.address, undefined));
  if (name === undefined) return undefined;
  const device = { handle, identity, mig: undefined, ends: new Map() };
  devices.set(index, device);
  await events?.add({ handle, uuid: name });
  return device;
}
