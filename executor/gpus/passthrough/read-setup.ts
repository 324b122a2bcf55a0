/**
 * Looks at what this host has to hand accelerators to containers with. Every look is a fresh one: specifications are written
 * anew and devices go away while the executor runs.
 */
import type { Stats } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { exec } from "../../../common/exec.ts";
import type { Accelerators } from "../../../protocol/accelerator.ts";
import type { EngineInfo } from "../../docker/runtime.ts";
import { type CdiDevice, cdiDevicesOf } from "./cdi.ts";
import type { HostNode, HostSetup } from "./setup.ts";

export interface SetupOptions {
  /** Below which specifications, device files and the vendors' programs are looked for; `/` but for tests. */
  readonly root: string;
  /** The engine's default when undefined. */
  readonly podRuntime: string | undefined;
}

export interface SetupDeps {
  readonly engine: (signal: AbortSignal) => Promise<EngineInfo>;
  /** Of NVIDIA's container toolkit. */
  readonly toolkitVersion: (signal: AbortSignal) => Promise<string | undefined>;
}

/** What all of AMD's devices are used through. */
const SHARED_NODES = ["kfd"];
const HOOKS = ["/usr/bin", "/usr/local/bin", "/usr/local/nvidia/toolkit", "/run/nvidia/toolkit"].map(
  (folder) => `${folder}/nvidia-container-runtime-hook`,
);
/** Reading and writing for others, of a file's mode. */
const FOR_ALL = 0o006;
const MOST_SPEC_BYTES = 8 * 2 ** 20;
const CTK_MS = 5_000;

/** Rejects with `engine-unavailable` where the engine does not answer. */
export async function readSetup(
  snapshot: Pick<Accelerators, "gpus">,
  { root, podRuntime }: SetupOptions,
  { engine, toolkitVersion }: SetupDeps,
  signal: AbortSignal,
): Promise<HostSetup> {
  const info = await engine(signal);
  const hasNvidia = snapshot.gpus.some(({ vendor, simulated }) => vendor === "nvidia" && !simulated);
  const [specs, hooks, toolkit] = await Promise.all([
    readSpecs(info.cdi.specDirs.map((folder) => join(root, folder))),
    Promise.all(HOOKS.map((file) => statOrNot(join(root, file)))),
    hasNvidia ? toolkitVersion(signal) : undefined,
  ]);
  const devices = join(root, "dev");
  const own = snapshot.gpus.flatMap((gpu) => [...gpu.nodes, ...gpu.partitions.flatMap(({ nodes }) => nodes)]);
  return {
    engineVersion: info.version,
    cdi: info.cdi.specDirs.length > 0,
    discovered: info.cdi.devices,
    cdiDevices: specs.devices,
    unreadableSpecs: specs.unreadable,
    runtimes: info.runtimes,
    podRuntime: podRuntime ?? info.defaultRuntime,
    usersMapped: info.securityOptions.some((option) => option.startsWith("name=userns")),
    nvidiaHook: hooks.some((found) => found?.isFile() === true),
    toolkit,
    devices,
    nodes: await readNodes([
      ...[...SHARED_NODES, ...own].map((node) => `${devices}/${node}`),
      ...[...specs.devices.values()].flatMap(({ nodes, sharedNodes }) =>
        [...nodes, ...sharedNodes].map(({ hostPath }) => hostPath),
      ),
    ]),
  };
}

interface Specs {
  readonly devices: ReadonlyMap<string, CdiDevice>;
  readonly unreadable: readonly string[];
}

/** A later folder's devices take the place of an earlier one's; two of one name in one folder are none, as for the engine. */
async function readSpecs(folders: readonly string[]): Promise<Specs> {
  const devices = new Map<string, CdiDevice>();
  const unreadable: string[] = [];
  for (const folder of folders) {
    const here = new Map<string, CdiDevice[]>();
    for (const file of await specFiles(folder)) {
      try {
        for (const device of cdiDevicesOf(await readSpec(file))) {
          here.set(device.id, [...(here.get(device.id) ?? []), device]);
        }
      } catch (error) {
        unreadable.push(`${file}: ${error instanceof Error ? error.message.slice(0, 100) : String(error)}`);
      }
    }
    for (const [id, [first, ...others]] of here) {
      if (first === undefined || others.length > 0) devices.delete(id);
      else devices.set(id, first);
    }
  }
  return { devices, unreadable };
}

async function specFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => name.endsWith(".json") || name.endsWith(".yaml"))
    .toSorted()
    .map((name) => join(folder, name));
}

async function readSpec(file: string): Promise<string> {
  const { size } = await stat(file);
  if (size > MOST_SPEC_BYTES) throw new Error("It is too large.");
  return readFile(file, "utf8");
}

async function readNodes(paths: readonly string[]): Promise<Map<string, HostNode>> {
  const found = await Promise.all(
    [...new Set(paths)].map(async (path): Promise<readonly [string, HostNode][]> => {
      const node = await statOrNot(path);
      return node?.isCharacterDevice() === true
        ? [[path, { gid: node.gid, forAll: (node.mode & FOR_ALL) === FOR_ALL }]]
        : [];
    }),
  );
  return new Map(found.flat());
}

async function statOrNot(path: string): Promise<Stats | undefined> {
  return stat(path).catch(() => undefined);
}

/** As NVIDIA's own program says it; undefined where there is none, or it says nothing in time. */
export async function nvidiaToolkitVersion(signal: AbortSignal): Promise<string | undefined> {
  try {
    const { stdout } = await exec("nvidia-ctk", ["--version"], { signal, timeoutMs: CTK_MS });
    return /\bversion v?(\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}
