/**
 * One device through NVML: who it is, its MIG instances, and a quick or a full look at it.
 */
import type { AcceleratorReading, GpuProcess, Known, Partition } from "../../../../protocol/accelerator.ts";
import { GpuUuid } from "../../../../protocol/ids.ts";
import { isUnavailable, knownOr, mapKnown, unavailable } from "../../known.ts";
import type { Depth } from "../../source.ts";
import { ask, askNumber, askText } from "./calls.ts";
import { type Nvml, RC, unavailableFor } from "./functions.ts";
import { type InstanceProcess, readMemory, readProcesses, readQuick } from "./quick.ts";
import { askPci, type LinkEnds, readSlow } from "./slow.ts";

const NAME_BYTES = 96;
const MIB = 2 ** 20;

export interface SystemVersions {
  readonly driver: Known<string>;
  readonly cuda: Known<string>;
}

/** Of the driver's library, and the newest CUDA that it can run. */
export async function readVersions(nvml: Nvml): Promise<SystemVersions> {
  const cuda = await askNumber(nvml, "nvmlSystemGetCudaDriverVersion_v2");
  return {
    driver: await askText(nvml, "nvmlSystemGetDriverVersion", undefined, 80),
    cuda: mapKnown(cuda, (value) => `${Math.floor(value / 1000)}.${Math.floor((value % 1000) / 10)}`),
  };
}

export interface DeviceIdentity {
  readonly uuid: Known<string>;
  readonly address: Known<string>;
}

export async function readIdentity(nvml: Nvml, handle: bigint): Promise<DeviceIdentity> {
  const pci = await askPci(nvml, handle);
  return {
    uuid: await askText(nvml, "nvmlDeviceGetUUID", handle, NAME_BYTES),
    address: isUnavailable(pci) ? pci : pci.address,
  };
}

export interface LookAt {
  readonly handle: bigint;
  readonly index: number;
  readonly depth: Depth;
  readonly versions: SystemVersions;
  /** From an earlier look, where there was one: a sick device may no longer say it. */
  readonly identity: DeviceIdentity;
  /** Of the last full look. */
  readonly mig: Mig | undefined;
  readonly ends: LinkEnds;
}

export interface DeviceLook {
  readonly reading: AcceleratorReading;
  readonly mig: Mig;
}

/** Undefined where neither its UUID nor its place could be read: then nobody can say which device it is. */
export async function readDevice(nvml: Nvml, look: LookAt): Promise<DeviceLook | undefined> {
  const { handle, index, depth, versions, identity } = look;
  const uuid = keyOf(identity);
  if (uuid === undefined) return undefined;
  const isFull = depth === "full" || look.mig === undefined;
  const mig = isFull || look.mig === undefined ? await readMig(nvml, handle, uuid) : look.mig;
  const quick = await readQuick(nvml, handle);
  const full = isFull ? await readFull(nvml, look) : {};
  const reading: AcceleratorReading = {
    ...full,
    ...quick,
    ...mig,
    uuid,
    identity: isUnavailable(identity.uuid) ? "pci" : "vendor",
    vendor: "nvidia",
    index,
    pciAddress: identity.address,
    processes: assigned(await readProcesses(nvml, handle), mig.partitions),
    driver: { ...full.driver, version: versions.driver, runtimeVersion: versions.cuda },
    temperature: { ...full.temperature, ...quick.temperature },
    power: { ...full.power, ...quick.power },
    clocks: { ...full.clocks, ...quick.clocks },
    sources: ["nvml"],
  };
  return { reading, mig };
}

async function readFull(nvml: Nvml, { handle, ends }: LookAt): Promise<Partial<AcceleratorReading>> {
  const pci = await askPci(nvml, handle);
  return {
    ...(await readSlow(nvml, handle, ends)),
    model: await askText(nvml, "nvmlDeviceGetName", handle, NAME_BYTES),
    pciId: mapKnown(pci, ({ id }) => id),
  };
}

function assigned(processes: Known<InstanceProcess[]>, partitions: readonly Partition[]): Known<GpuProcess[]> {
  return mapKnown(processes, (list) =>
    list.map(({ pid, memoryBytes, instance }) => {
      const part = partitions.find(
        (one) => instance === `${knownOr(one.gpuInstance, "")}/${knownOr(one.computeInstance, "")}`,
      );
      return { pid, memoryBytes, ...(part === undefined ? {} : { partition: part.uuid }) };
    }),
  );
}

function keyOf({ uuid, address }: DeviceIdentity): GpuUuid | undefined {
  const parsed = GpuUuid.safeParse(isUnavailable(uuid) ? `PCI-${knownOr(address, "")}` : uuid);
  return parsed.success && parsed.data.length > "PCI-".length ? parsed.data : undefined;
}

/** Whether the device is cut, and into what. */
export interface Mig {
  readonly partitioned: Known<boolean>;
  readonly partitions: Partition[];
}

async function readMig(nvml: Nvml, handle: bigint, parent: GpuUuid): Promise<Mig> {
  const [now, next] = [Buffer.alloc(4), Buffer.alloc(4)];
  const name = "nvmlDeviceGetMigMode";
  const code = nvml.has(name) ? await nvml.call(name, handle, now, next) : RC.functionNotFound;
  if (code === RC.notSupported || code === RC.functionNotFound) return { partitioned: false, partitions: [] };
  if (code !== RC.success) return { partitioned: unavailableFor(code, name), partitions: [] };
  if (now.readUInt32LE(0) === 0) return { partitioned: false, partitions: [] };
  const most = knownOr(await askNumber(nvml, "nvmlDeviceGetMaxMigDeviceCount", handle), 0);
  const partitions: Partition[] = [];
  for (let index = 0; index < most; index += 1) {
    const call = { name: "nvmlDeviceGetMigDeviceHandleByIndex", args: [handle, index], bytes: 8 } as const;
    const instance = await ask(nvml, call, (answer) => answer.readBigUInt64LE(0));
    // Indices have gaps where instances were destroyed.
    if (!isUnavailable(instance)) partitions.push(...(await readInstance(nvml, { handle: instance, index, parent })));
  }
  return { partitioned: true, partitions };
}

interface Instance {
  readonly handle: bigint;
  readonly index: number;
  readonly parent: GpuUuid;
}

async function readInstance(nvml: Nvml, { handle, index, parent }: Instance): Promise<Partition[]> {
  const uuid = GpuUuid.safeParse(await askText(nvml, "nvmlDeviceGetUUID", handle, NAME_BYTES));
  if (!uuid.success) return [];
  const attributes = await ask(nvml, { name: "nvmlDeviceGetAttributes_v2", args: [handle], bytes: 40 }, (answer) => ({
    gpuSlices: answer.readUInt32LE(24),
    computeSlices: answer.readUInt32LE(28),
    memoryBytes: Number(answer.readBigUInt64LE(32)) * MIB,
  }));
  const memory = await readMemory(nvml, handle);
  const name = await askText(nvml, "nvmlDeviceGetName", handle, NAME_BYTES);
  return [
    {
      uuid: uuid.data,
      kind: "mig",
      parent,
      index,
      profile: mapKnown(name, (text) => /\d+g\.\d+gb(?:\+\S+)?|\d+c\.\d+g\.\d+gb(?:\+\S+)?/.exec(text)?.[0] ?? text),
      computeSlices: mapKnown(attributes, ({ computeSlices }) => computeSlices),
      memorySlices: unavailable("not-read"),
      gpuInstance: await askNumber(nvml, "nvmlDeviceGetGpuInstanceId", handle),
      computeInstance: await askNumber(nvml, "nvmlDeviceGetComputeInstanceId", handle),
      memory: {
        ...memory,
        totalBytes: isUnavailable(memory.totalBytes)
          ? mapKnown(attributes, (one) => one.memoryBytes)
          : memory.totalBytes,
      },
      nodes: [],
    },
  ];
}
