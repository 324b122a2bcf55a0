/**
 * What moves by the second, of one device: memory, load, heat, power, clocks, processes. About fifteen light calls; the one
 * for PCIe traffic, which waits 20 ms by design, is not among them.
 */
import {
  type Accelerator,
  type AcceleratorReading,
  type GpuProcess,
  type Known,
  RecoveryAction,
  type ThrottleReason,
} from "../../../../protocol/accelerator.ts";
import { firstKnown, isUnavailable, mapKnown, unavailable } from "../../known.ts";
import { throttleReasonsOf } from "../throttle.ts";
import { ask, askBig, askNumber, askStruct, number32, number64 } from "./calls.ts";
import { type Nvml, type NvmlFunction, RC, unavailableFor } from "./functions.ts";

const CLOCK = { sm: 1, memory: 2 } as const;
const SENSOR_GPU = 0;
const FIELD = {
  powerCap: 74,
  memoryCelsius: 82,
  recovery: 230,
  swThermal: 269,
  hwThermal: 270,
  powerBrake: 271,
} as const;

export async function readQuick(nvml: Nvml, handle: bigint): Promise<Partial<AcceleratorReading>> {
  const number = (name: NvmlFunction, ...args: number[]): Promise<Known<number>> =>
    askNumber(nvml, name, handle, ...args);
  const fields = await askFields(nvml, handle, Object.values(FIELD));
  const field = (id: number): Known<number> => fields.get(id) ?? unavailable("not-supported");
  const reasons = await throttleReasons(nvml, handle);
  return {
    memory: await readMemory(nvml, handle),
    utilisation: await readUtilisation(nvml, handle),
    temperature: {
      gpuCelsius: await readTemperature(nvml, handle),
      memoryCelsius: mapKnown(field(FIELD.memoryCelsius), (value) => value),
      marginCelsius: await askStruct(
        nvml,
        { name: "nvmlDeviceGetMarginTemperature", args: [handle], bytes: 8, version: 1 },
        (answer) => answer.readInt32LE(4),
      ),
    },
    fanPercent: await number("nvmlDeviceGetFanSpeed"),
    power: {
      drawWatts: mapKnown(await number("nvmlDeviceGetPowerUsage"), perThousand),
      limitWatts: mapKnown(await number("nvmlDeviceGetEnforcedPowerLimit"), perThousand),
      energyMillijoules: await askBig(nvml, "nvmlDeviceGetTotalEnergyConsumption", handle),
    },
    clocks: {
      coreMhz: await number("nvmlDeviceGetClockInfo", CLOCK.sm),
      memoryMhz: await number("nvmlDeviceGetClockInfo", CLOCK.memory),
    },
    performanceState: mapKnown(await number("nvmlDeviceGetPerformanceState"), (state) => `P${state}`),
    throttle: {
      reasons,
      powerCapMicros: mapKnown(field(FIELD.powerCap), nanosToMicros),
      swThermalMicros: mapKnown(field(FIELD.swThermal), nanosToMicros),
      hwThermalMicros: mapKnown(field(FIELD.hwThermal), nanosToMicros),
      hwPowerBrakeMicros: mapKnown(field(FIELD.powerBrake), nanosToMicros),
    },
    recoveryAction: recoveryOf(field(FIELD.recovery)),
  };
}

function perThousand(value: number): number {
  return value / 1000;
}

function nanosToMicros(value: number): number {
  return Math.round(value / 1000);
}

export async function readMemory(nvml: Nvml, handle: bigint): Promise<Accelerator["memory"]> {
  const both = await askStruct(
    nvml,
    { name: "nvmlDeviceGetMemoryInfo_v2", args: [handle], bytes: 40, version: 2 },
    (answer) => ({
      totalBytes: number64(answer, 8),
      reservedBytes: number64(answer, 16),
      freeBytes: number64(answer, 24),
      usedBytes: number64(answer, 32),
    }),
  );
  if (!isUnavailable(both)) return both;
  const old = await ask(nvml, { name: "nvmlDeviceGetMemoryInfo", args: [handle], bytes: 24 }, (answer) => ({
    totalBytes: number64(answer, 0),
    reservedBytes: unavailable("not-supported"),
    freeBytes: number64(answer, 8),
    usedBytes: number64(answer, 16),
  }));
  if (!isUnavailable(old)) return old;
  const why = firstKnown<never>(both, old);
  return { totalBytes: why, usedBytes: why, freeBytes: why, reservedBytes: why };
}

/** Not supported while the device is cut into instances. */
async function readUtilisation(nvml: Nvml, handle: bigint): Promise<NonNullable<AcceleratorReading["utilisation"]>> {
  const call = { name: "nvmlDeviceGetUtilizationRates", args: [handle], bytes: 8 } as const;
  const rates = await ask(nvml, call, (answer) => [answer.readUInt32LE(0), answer.readUInt32LE(4)] as const);
  return {
    gpuPercent: mapKnown(rates, ([gpu]) => Math.min(gpu, 100)),
    memoryPercent: mapKnown(rates, ([, memory]) => Math.min(memory, 100)),
  };
}

async function readTemperature(nvml: Nvml, handle: bigint): Promise<Known<number>> {
  const call = { name: "nvmlDeviceGetTemperatureV", args: [handle], bytes: 12, version: 1 } as const;
  const now = await askStruct(nvml, call, (answer) => answer.readInt32LE(8));
  return isUnavailable(now)
    ? firstKnown(now, await askNumber(nvml, "nvmlDeviceGetTemperature", handle, SENSOR_GPU))
    : now;
}

async function throttleReasons(nvml: Nvml, handle: bigint): Promise<Known<ThrottleReason[]>> {
  const now = "nvmlDeviceGetCurrentClocksEventReasons";
  const name = nvml.has(now) ? now : "nvmlDeviceGetCurrentClocksThrottleReasons";
  return mapKnown(await askBig(nvml, name, handle), throttleReasonsOf);
}

function recoveryOf(value: Known<number>): Known<RecoveryAction> {
  if (isUnavailable(value)) return value;
  return RecoveryAction.options[value] ?? unavailable("error", `The driver says ${value}.`);
}

const FIELD_BYTES = 40;
const VALUE_TYPE = { double: 0, int: 5 } as const;

/** Several numbers in one call; each has a return code of its own. */
async function askFields(
  nvml: Nvml,
  handle: bigint,
  ids: readonly number[],
): Promise<ReadonlyMap<number, Known<number>>> {
  const name = "nvmlDeviceGetFieldValues";
  const memory = Buffer.alloc(FIELD_BYTES * ids.length);
  for (const [at, id] of ids.entries()) memory.writeUInt32LE(id, at * FIELD_BYTES);
  const code = nvml.has(name) ? await nvml.call(name, handle, ids.length, memory) : RC.functionNotFound;
  return new Map(
    ids.map((id, index) => {
      const at = index * FIELD_BYTES;
      const own = code === RC.success ? memory.readUInt32LE(at + 28) : code;
      return [id, own === RC.success ? fieldValue(memory, at) : unavailableFor(own, `field ${id}`)];
    }),
  );
}

function fieldValue(memory: Buffer, at: number): Known<number> {
  const type = memory.readUInt32LE(at + 24);
  if (type === VALUE_TYPE.double) return memory.readDoubleLE(at + 32);
  if (type === VALUE_TYPE.int) return memory.readInt32LE(at + 32);
  return type === 1 ? number32(memory, at + 32) : number64(memory, at + 32);
}

/** A process, and the ids of its GPU and compute instance as `3/0`. */
export interface InstanceProcess extends GpuProcess {
  readonly instance: string;
}

const PROCESS_BYTES = 24;
const SPARE_PROCESSES = 8;

/** Each once, also where it computes and draws; the ids are those of its instance. */
export async function readProcesses(nvml: Nvml, handle: bigint): Promise<Known<InstanceProcess[]>> {
  const compute = await askProcesses(nvml, "nvmlDeviceGetComputeRunningProcesses_v3", handle);
  const graphics = await askProcesses(nvml, "nvmlDeviceGetGraphicsRunningProcesses_v3", handle);
  if (isUnavailable(compute)) return compute;
  const all = [...compute, ...(isUnavailable(graphics) ? [] : graphics)];
  return all.filter(({ pid }, at) => all.findIndex((other) => other.pid === pid) === at);
}

/** Asks with room for as many as it was told there are, until that is enough: they come and go. */
async function askProcesses(nvml: Nvml, name: NvmlFunction, handle: bigint): Promise<Known<InstanceProcess[]>> {
  if (!nvml.has(name)) return unavailable("not-supported");
  let room = SPARE_PROCESSES;
  for (let attempt = 0; attempt < 4; attempt += 1) {
    const count = Buffer.alloc(4);
    count.writeUInt32LE(room);
    const memory = Buffer.alloc(PROCESS_BYTES * room);
    const code = await nvml.call(name, handle, count, memory);
    if (code === RC.success) return processesIn(memory, count.readUInt32LE(0));
    if (code !== RC.tooSmall) return unavailableFor(code, name);
    room = count.readUInt32LE(0) + SPARE_PROCESSES;
  }
  return unavailable("error", `${name}: there were always more.`);
}

function processesIn(memory: Buffer, count: number): InstanceProcess[] {
  return Array.from({ length: count }, (_, index) => {
    const at = index * PROCESS_BYTES;
    const instance = `${memory.readUInt32LE(at + 16)}/${memory.readUInt32LE(at + 20)}`;
    return { pid: memory.readUInt32LE(at), memoryBytes: number64(memory, at + 8), instance };
  });
}
