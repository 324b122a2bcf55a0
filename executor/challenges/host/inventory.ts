/**
 * What this host is, as a validator asks for it: each fact from two sources that do not know of each other, and where they differ or
 * one is silent, why. Pure; see look.ts for where it comes from.
 */
import type { Accelerator } from "../../../protocol/accelerator.ts";
import type { InventoryGpu, InventoryResult, SourcedFact } from "../../../protocol/challenge/host-messages.ts";
import type { HostFacts } from "../../../protocol/host.ts";
import type { GpuUuid } from "../../../protocol/ids.ts";
import { isUnavailable, knownOr } from "../../gpus/known.ts";
import type { PortRange } from "../../pods/ports.ts";
import type { OpenClDevice } from "../opencl/devices.ts";

/** What the kernel says of itself, asked without any library. */
export interface KernelWord {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly release: string;
  readonly diskBytes: number;
  readonly freeDiskBytes: number;
  readonly hasTun: boolean;
  /** PCI addresses of accelerators, by sysfs; undefined where it cannot be read. */
  readonly pciAddresses: readonly string[] | undefined;
}

export interface InventoryInput {
  readonly facts: HostFacts;
  readonly runtimes: readonly string[];
  readonly gpus: readonly Accelerator[];
  readonly rented: ReadonlySet<GpuUuid>;
  readonly kernel: KernelWord;
  readonly openCl: readonly OpenClDevice[] | { readonly missing: string };
  readonly ranges: readonly PortRange[];
  readonly nvml: InventoryResult["nvml"] | undefined;
}

/** Two ways of counting bytes differ by what firmware keeps: a driver's and OpenCL's by some percent. */
const SAME_WITHIN = 0.04;
const MOST_RANGES = 64;

export function inventoryOf(input: InventoryInput): InventoryResult {
  const { facts, runtimes, gpus, rented, kernel, ranges, nvml } = input;
  return {
    kind: "inventory",
    gpus: gpus.map((gpu) => gpuOf(gpu, rented)),
    facts: [...machineFacts(facts, kernel), ...gpus.flatMap((gpu) => gpuFacts(gpu, input))],
    cpus: kernel.cpus,
    memoryBytes: kernel.memoryBytes,
    diskBytes: kernel.diskBytes,
    freeDiskBytes: kernel.freeDiskBytes,
    kernel: kernel.release,
    os: facts.os,
    engineVersion: facts.engineVersion,
    runtimes: [...runtimes],
    hasTun: kernel.hasTun,
    ports: ranges.slice(0, MOST_RANGES).map(({ external, count }) => ({ first: external, count })),
    ...(nvml === undefined ? {} : { nvml }),
  };
}

function gpuOf(gpu: Accelerator, rented: ReadonlySet<GpuUuid>): InventoryGpu {
  const optional = {
    memoryBytes: knownOr(gpu.memory.totalBytes, undefined),
    pciAddress: knownOr(gpu.pciAddress, undefined),
    driver: knownOr(gpu.driver.version, undefined),
    utilisation: knownOr(gpu.utilisation.gpuPercent, undefined),
  };
  return {
    uuid: gpu.uuid,
    vendor: gpu.vendor,
    model: knownOr(gpu.model, "unknown"),
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
    simulated: gpu.simulated,
    rented: [gpu.uuid, ...gpu.partitions.map(({ uuid }) => uuid)].some((uuid) => rented.has(uuid)),
  };
}

function machineFacts({ total, kernel: release }: HostFacts, kernel: KernelWord): SourcedFact[] {
  const [libraries, kernelCalls] = ["systeminformation", "the kernel"];
  return [
    compared("cpus", [libraries, total.cpus], [kernelCalls, kernel.cpus], 0),
    compared("memory", [libraries, total.memoryBytes], [kernelCalls, kernel.memoryBytes], SAME_WITHIN),
    compared("disk", [libraries, total.diskBytes], [kernelCalls, kernel.diskBytes], SAME_WITHIN),
    {
      name: "kernel",
      said: [
        { source: libraries, value: release },
        { source: kernelCalls, value: kernel.release },
      ],
      agree: release === kernel.release,
      ...(release === kernel.release ? {} : { why: "One of the two is not this machine's kernel." }),
    },
  ];
}

function gpuFacts(gpu: Accelerator, { kernel, openCl }: InventoryInput): SourcedFact[] {
  const driver = `${gpu.vendor} driver`;
  if (gpu.simulated) {
    return [
      single(`gpu ${gpu.uuid}`, ["simulation", knownOr(gpu.model, "unknown")], "It is made up, for development."),
    ];
  }
  return [placeFact(gpu, driver, kernel), ...openClFacts(gpu, driver, openCl)];
}

function placeFact({ uuid, pciAddress }: Accelerator, driver: string, { pciAddresses }: KernelWord): SourcedFact {
  const name = `gpu ${uuid} place`;
  if (isUnavailable(pciAddress)) return single(name, [driver, "unknown"], "Its place on the bus cannot be read.");
  if (pciAddresses === undefined) return single(name, [driver, pciAddress], "The kernel's devices cannot be read.");
  const isThere = pciAddresses.includes(pciAddress);
  return {
    name,
    said: [
      { source: driver, value: pciAddress },
      { source: "sysfs", value: isThere ? pciAddress : "not there" },
    ],
    agree: isThere,
    ...(isThere ? {} : { why: "The kernel has no accelerator at this place." }),
  };
}

function openClFacts(gpu: Accelerator, driver: string, openCl: InventoryInput["openCl"]): SourcedFact[] {
  const name = `gpu ${gpu.uuid} memory`;
  const memory = gpu.memory.totalBytes;
  if (isUnavailable(memory)) return [single(name, [driver, "unknown"], "Its memory cannot be read.")];
  if (gpu.partitions.length > 0) return [single(name, [driver, String(memory)], "It is cut into parts.")];
  if ("missing" in openCl) return [single(name, [driver, String(memory)], openCl.missing)];
  const place = knownOr(gpu.pciAddress, "");
  const device = openCl.find(({ pciAddress }) => pciAddress !== undefined && pciAddress === place);
  if (device === undefined) return [single(name, [driver, String(memory)], "OpenCL shows no device at its place.")];
  return [compared(name, [driver, memory], ["OpenCL", device.memoryBytes], SAME_WITHIN)];
}

function single(name: string, [source, value]: readonly [string, string], why: string): SourcedFact {
  return { name, said: [{ source, value: value.slice(0, 200) }], agree: false, why: why.slice(0, 300) };
}

function compared(
  name: string,
  [one, a]: readonly [string, number],
  [other, b]: readonly [string, number],
  within: number,
): SourcedFact {
  const agree = Math.abs(a - b) <= within * Math.max(a, b);
  return {
    name,
    said: [
      { source: one, value: String(a) },
      { source: other, value: String(b) },
    ],
    agree,
    ...(agree ? {} : { why: `They differ by more than ${within * 100} %.` }),
  };
}
