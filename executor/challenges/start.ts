/**
 * Challenges of this host, made over its GPUs, its engine and its disk.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { AppError } from "../../protocol/errors.ts";
import type { GpuUuid } from "../../protocol/ids.ts";
import type { Base } from "../base.ts";
import { portRanges } from "../config.ts";
import { createEmptyImage } from "../docker/empty-image.ts";
import { DoomedChildren } from "../gpus/children/doomed.ts";
import { linuxGroups } from "../gpus/children/groups.ts";
import type { WorkerParts } from "../gpus/children/worker-process.ts";
import { isUnavailable } from "../gpus/known.ts";
import { findUnit, unitsOf } from "../gpus/passthrough/find-unit.ts";
import { isPortFree } from "../host/free-port.ts";
import { linuxProcesses } from "../host/processes/linux-processes.ts";
import type { Isolation } from "../isolation/isolation.ts";
import { alone } from "../pods/alone.ts";
import type { Pods } from "../pods/reconcile.ts";
import type { PodKit } from "../ssh/pod-kit.ts";
import { HostChallenges } from "./desk.ts";
import { type GpuProofDeps, proveGpus } from "./gpu-proof.ts";
import { clearDisk, measureDisk } from "./host/disk/disk.ts";
import { type ExamineDeps, examineHost } from "./host/examine.ts";
import { inventoryOf } from "./host/inventory.ts";
import { askKernel, readNvml } from "./host/look.ts";
import { borrowNetwork } from "./host/window/network.ts";
import { closeWindow, withWindow } from "./host/window/window.ts";
import type { DeviceChoice } from "./opencl/devices.ts";
import { listOpenClDevices } from "./prover.ts";

export interface ChallengedParts {
  readonly pods: Pods;
  readonly kit: PodKit;
  readonly isolation: Isolation;
}

/** In messages of those who are refused its GPUs. */
const HOLDER = "a validator's challenge";

export function startChallenges(base: Base, { pods, kit, isolation }: ChallengedParts): HostChallenges {
  const { keys, clock, log, life, random } = base;
  const parts: WorkerParts = { doomed: new DoomedChildren({ groups: linuxGroups(), clock }), clock, random };
  const proof = gpuProofDeps(base, pods, parts);
  const examining = examineDeps(base, { pods, kit, isolation }, parts);
  const challenges = new HostChallenges({
    identity: keys.identity,
    prove: (proving) => proveGpus(proving, proof),
    examine: (asked) => examineHost(asked, examining),
    clock,
    log: log.child({ part: "challenges" }),
  });
  life.add("challenges", () => challenges.close());
  const hostId = keys.identity.publicKey;
  void Promise.all([closeWindow({ runtime: base.runtime, hostId }), clearDisk(diskFolder(base))]).catch(
    (error: unknown) => log.warn("what a challenge left behind could not be removed", { error }),
  );
  return challenges;
}

function gpuProofDeps(base: Base, pods: Pods, parts: WorkerParts): GpuProofDeps {
  const { keys, passthrough, admissions, life } = base;
  const known = (): ReturnType<Pods["known"]> => pods.known();
  const blocked = (): typeof passthrough.blocked => passthrough.blocked;
  return {
    ...parts,
    identity: keys.identity,
    devicesOf: (gpus) => devicesOf(gpus, base),
    holding: async (gpus, work) => {
      const units = gpus.flatMap((uuid) => {
        const device = findUnit(base.gpus.snapshot(), uuid)?.device;
        return device === undefined ? [] : unitsOf(device).map((unit) => unit.uuid);
      });
      const reserve = async (): Promise<() => void> => passthrough.reserve(units, HOLDER);
      const release = await alone(units, reserve, { admissions, known, blocked, signal: life.signal });
      if (release === undefined) throw new AppError("gpu-taken", { message: "A pod has one of these GPUs, or may." });
      return work().finally(release);
    },
    prover: {},
  };
}

function devicesOf(gpus: readonly GpuUuid[], { config, gpus: found }: Base): ReadonlyMap<GpuUuid, DeviceChoice> {
  const snapshot = found.snapshot();
  return new Map(
    gpus.map((uuid): [GpuUuid, DeviceChoice] => {
      const unit = findUnit(snapshot, uuid);
      if (unit === undefined) throw new AppError("gpu-unknown", { details: { uuid } });
      const { device, part } = unit;
      if (part !== undefined) throw refused(`${uuid} is a part of a GPU, and only whole ones can be asked.`);
      if (device.simulated && !config.challenges.onProcessor)
        throw refused(`${uuid} is made up and cannot prove anything.`);
      if (device.simulated) return [uuid, { index: 0, allowCpu: true }];
      if (isUnavailable(device.pciAddress)) throw refused(`The place of ${uuid} on the bus cannot be read.`);
      return [uuid, { pciAddress: device.pciAddress }];
    }),
  );
}

function examineDeps(base: Base, { pods, kit, isolation }: ChallengedParts, parts: WorkerParts): ExamineDeps {
  const { config, keys, runtime, clock, admissions } = base;
  const { bindAddress } = config.network;
  const windows = {
    ...parts,
    runtime,
    processes: linuxProcesses(),
    emptyImage: createEmptyImage({ socketPath: config.docker.socketPath }),
    borrowNetwork: (container: string, signal: AbortSignal) =>
      borrowNetwork(container, { admissions, isolation, known: () => pods.known() }, signal),
    kitDir: kit.dir,
    hostId: keys.identity.publicKey,
    bindAddress,
  };
  return {
    identity: keys.identity,
    inventory: async (signal) => lookAtHost(base, pods, parts, signal),
    measureDisk: async ({ challenge, signal }, bytes) => {
      const dir = diskFolder(base);
      await mkdir(dir, { recursive: true, mode: 0o700 });
      return measureDisk({ challenge, bytes, dir }, parts, signal);
    },
    withWindow: (open, work, signal) => withWindow(open, work, windows, signal),
    ranges: portRanges(config),
    isPortFree: (port, protocol) => isPortFree(port, protocol, bindAddress),
    livePods: () => pods.known()?.live,
    podStatus: (podId) => pods.reports().find(({ status }) => status.podId === podId)?.status,
    onPodStatus: (listener) => pods.onStatus(listener),
    clock,
  };
}

/** Beside the engine's own folders, because that is the disk that pods fill. */
function diskFolder({ engineInfo }: Base): string {
  return join(engineInfo.rootDir, "lium-challenges");
}

async function lookAtHost(
  base: Base,
  pods: Pods,
  parts: WorkerParts,
  signal: AbortSignal,
): Promise<ReturnType<typeof inventoryOf>> {
  const { config, facts, engineInfo, gpus } = base;
  const real = gpus.snapshot().gpus.some(({ simulated }) => !simulated);
  const [kernel, nvml, openCl] = await Promise.all([
    askKernel(engineInfo.rootDir),
    readNvml(),
    real ? listOpenClDevices({}, parts, signal) : undefined,
  ]);
  return inventoryOf({
    facts: facts.value,
    runtimes: engineInfo.runtimes,
    gpus: gpus.snapshot().gpus,
    rented: new Set(pods.known()?.holders?.keys()),
    kernel,
    openCl: openCl === undefined ? [] : openCl.ok ? openCl.devices : { missing: `${openCl.code}: ${openCl.detail}` },
    ranges: portRanges(config),
    nvml,
  });
}

function refused(message: string): AppError {
  return new AppError("challenge-refused", { message });
}
