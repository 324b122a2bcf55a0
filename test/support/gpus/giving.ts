/**
 * Pictures and set-ups of hosts, for tests of how accelerators are given to pods.
 */
import { systemClock } from "../../../common/clock.ts";
import type { Logger } from "../../../common/logger.ts";
import { type CdiDevice, cdiDevicesOf } from "../../../executor/gpus/passthrough/cdi.ts";
import type { Grant } from "../../../executor/gpus/passthrough/grant.ts";
import { Passthrough, type PassthroughDeps } from "../../../executor/gpus/passthrough/passthrough.ts";
import type { HostSetup } from "../../../executor/gpus/passthrough/setup.ts";
import { rentableUnits } from "../../../executor/gpus/units.ts";
import { Accelerator, type AcceleratorReading } from "../../../protocol/accelerator.ts";
import { GpuUuid } from "../../../protocol/ids.ts";

const GIB = 2 ** 30;

export function gpuUuid(text: string): GpuUuid {
  return GpuUuid.parse(text);
}

/** A sound device; what is not given is as nobody read it. */
export function accelerator(
  over: Pick<AcceleratorReading, "uuid" | "vendor"> & Partial<AcceleratorReading>,
): Accelerator {
  return Accelerator.parse({ model: "a GPU", memory: { totalBytes: 80 * GIB }, partitioned: false, ...over });
}

/** The n-th of a host with NVIDIA's. */
export function nvidiaGpu(n: number, over: Partial<AcceleratorReading> = {}): Accelerator {
  return accelerator({ uuid: gpuUuid(`GPU-${n}`), vendor: "nvidia", index: n, nodes: [`nvidia${n}`], ...over });
}

export function amdGpu(n: number, over: Partial<AcceleratorReading> = {}): Accelerator {
  const nodes = [`dri/card${n}`, `dri/renderD${128 + n}`];
  return accelerator({ uuid: gpuUuid(`GPU-amd${n}`), vendor: "amd", index: n, nodes, ...over });
}

export function intelGpu(n: number, over: Partial<AcceleratorReading> = {}): Accelerator {
  const nodes = [`dri/card${n}`, `dri/renderD${128 + n}`];
  return accelerator({ uuid: gpuUuid(`INTEL-0000:0${n}:00.0`), vendor: "intel", nodes, ...over });
}

export function gaudi(n: number): Accelerator {
  const nodes = [`accel/accel${n}`, `accel/accel_controlD${n}`];
  return accelerator({ uuid: gpuUuid(`GAUDI-0000:0${n}:00.0`), vendor: "intel", nodes });
}

/** What NVIDIA's tool writes for so many devices, named by their UUIDs. */
export function nvidiaSpec(count: number, { hooks = false, driver = "580.105.08" } = {}): string {
  const devices = Array.from({ length: count }, (_, n) => [
    `    - name: "GPU-${n}"`,
    "      containerEdits:",
    "        deviceNodes:",
    `            - path: /dev/nvidia${n}`,
  ]);
  return [
    "---",
    "cdiVersion: 0.5.0",
    "kind: nvidia.com/gpu",
    "devices:",
    ...devices.flat(),
    "containerEdits:",
    "    env:",
    "        - NVIDIA_VISIBLE_DEVICES=void",
    "    deviceNodes:",
    "        - path: /dev/nvidiactl",
    "        - path: /dev/nvidia-uvm",
    ...(hooks ? ["    hooks:", "        - hookName: createContainer", "          path: /usr/bin/nvidia-cdi-hook"] : []),
    "    mounts:",
    `        - hostPath: /usr/lib/libcuda.so.${driver}`,
    `          containerPath: /usr/lib/libcuda.so.${driver}`,
  ].join("\n");
}

export function byId(devices: readonly CdiDevice[]): Map<string, CdiDevice> {
  return new Map(devices.map((device) => [device.id, device]));
}

/** An engine with CDI and runc, no toolkit, and these files below /dev, all of group 44. */
export function hostSetup(nodes: readonly string[], over: Partial<HostSetup> = {}): HostSetup {
  return {
    engineVersion: "26.1.5",
    cdi: true,
    discovered: undefined,
    cdiDevices: new Map(),
    unreadableSpecs: [],
    runtimes: ["runc"],
    podRuntime: "runc",
    usersMapped: false,
    nvidiaHook: false,
    toolkit: undefined,
    devices: "/dev",
    nodes: new Map(nodes.map((node) => [`/dev/${node}`, { gid: 44, forAll: true }])),
    ...over,
  };
}

/** With NVIDIA's devices in a specification of the tool's. */
export function cdiSetup(count: number, over: Partial<HostSetup> = {}): HostSetup {
  const nodes = Array.from({ length: count }, (_, n) => `nvidia${n}`);
  return hostSetup([...nodes, "nvidiactl", "nvidia-uvm"], {
    cdiDevices: byId(cdiDevicesOf(nvidiaSpec(count))),
    ...over,
  });
}

/** What a container gets: nothing but what the test says. */
export function given(over: Partial<Grant>): Grant {
  return { requests: [], files: [], groups: [], selectors: {}, nodes: [], ...over };
}

/** Of a host that hands its accelerators over as `setup` says; one without real ones needs none. */
export async function startedPassthrough(
  inventory: PassthroughDeps["inventory"],
  setup: () => HostSetup | undefined,
  log: Logger,
): Promise<Passthrough> {
  const readSetup = async (): Promise<HostSetup> => {
    const prepared = setup();
    if (prepared === undefined) throw new Error("nobody prepared a set-up for real GPUs");
    return prepared;
  };
  const passthrough = new Passthrough({ inventory, readSetup, clock: systemClock(), log });
  await passthrough.start();
  return passthrough;
}

/** A host that has these accelerators and never changes. */
export function inventoryOf(gpus: readonly Accelerator[]): PassthroughDeps["inventory"] {
  const snapshot = { at: new Date(0).toISOString(), gpus: [...gpus], pairs: [], sources: [] };
  return { list: () => rentableUnits(snapshot), snapshot: () => snapshot, onChange: () => () => undefined };
}
