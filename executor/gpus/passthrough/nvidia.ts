/**
 * How NVIDIA's devices are given: by CDI and UUID, or by the toolkit's hook where CDI is missing or the runtime cannot do
 * with it. Never by index, which moves when a device dies. Pure.
 */
import { knownOr } from "../known.ts";
import type { CdiDevice } from "./cdi.ts";
import { closedNode } from "./files.ts";
import type { FoundUnit } from "./find-unit.ts";
import type { HostSetup } from "./setup.ts";
import { type Lack, lacking, type Share } from "./share.ts";
import { isAtLeast, toolkitLack } from "./toolkit.ts";
import { HOOK_ANSWERED_BY_CDI_FROM, type NvidiaWay, waysOf } from "./ways.ts";

const CDI_KIND = "nvidia.com/gpu";
const REGENERATE = "run `nvidia-ctk cdi generate --output=/var/run/cdi/nvidia.yaml`";

/** What programs in the container may use of the driver: computing, tools and video. */
const CAPABILITIES = ["gpu", "compute", "utility", "video"];
/** Files that every container with a device of NVIDIA's has. */
const SHARED = ["nvidiactl", "nvidia-uvm"];

/** By the first way that works; where none does, why the one that is preferred does not. */
export function nvidiaShare(unit: FoundUnit, setup: HostSetup): Share | Lack {
  const { nvidia, why } = waysOf(setup.podRuntime);
  const shares = nvidia.map((way) => shareBy[way](unit, setup));
  return (
    shares.find((share) => !("lack" in share)) ??
    shares[0] ??
    lacking(`GPUs cannot be given to pods in the runtime ${setup.podRuntime}: ${why ?? "it takes none"}.`)
  );
}

const shareBy: Readonly<Record<NvidiaWay, (unit: FoundUnit, setup: HostSetup) => Share | Lack>> = {
  cdi: (unit, setup) => {
    const device = setup.cdiDevices.get(`${CDI_KIND}=${unit.uuid}`);
    const lack = cdiLack(unit, device, setup);
    if (lack !== undefined || device === undefined) return lacking(lack ?? "");
    const nodes = [...device.nodes, ...device.sharedNodes].map(({ path }) => path);
    return { ...NOTHING, requests: [{ Driver: "cdi", DeviceIDs: [device.id] }], nodes };
  },
  hook: (unit, setup) => {
    const lack = hookLack(unit, setup);
    if (lack !== undefined) return lacking(lack);
    return {
      ...NOTHING,
      requests: [{ Driver: "nvidia", DeviceIDs: [unit.uuid], Capabilities: [CAPABILITIES] }],
      // The engine sets the same: whoever reads the first or the last of the two finds no other device.
      selectors: { NVIDIA_VISIBLE_DEVICES: unit.uuid },
      nodes: [...unit.device.nodes, ...SHARED].map((node) => `/dev/${node}`),
    };
  },
};

const NOTHING: Share = { requests: [], files: [], groups: [], selectors: {}, nodes: [] };

function cdiLack({ device: gpu }: FoundUnit, device: CdiDevice | undefined, setup: HostSetup): string | undefined {
  if (!setup.cdi) return "The engine has CDI off: set `features.cdi` to true in its daemon.json (Docker 25 or newer).";
  if (device === undefined) {
    const unreadable = setup.unreadableSpecs.length === 0 ? "" : ` (unreadable: ${setup.unreadableSpecs.join("; ")})`;
    return `No CDI specification names the GPU by its UUID${unreadable}: ${REGENERATE}.`;
  }
  if (setup.discovered !== undefined && !setup.discovered.includes(device.id)) {
    return `The engine does not know the GPU's CDI device: ${REGENERATE}, and see the engine's journal.`;
  }
  const missing = [...device.nodes, ...device.sharedNodes].find(({ hostPath }) => !setup.nodes.has(hostPath));
  if (missing !== undefined)
    return `The CDI specification names ${missing.hostPath}, which is not there: ${REGENERATE}.`;
  if (device.nodes.length === 0) return `The CDI specification names no device file of the GPU: ${REGENERATE}.`;
  const driver = knownOr(gpu.driver.version, undefined);
  if (driver !== undefined && device.driverVersion !== undefined && driver !== device.driverVersion) {
    return `The CDI specification is of driver ${device.driverVersion}, and ${driver} runs: ${REGENERATE}.`;
  }
  const files = [...device.nodes, ...device.sharedNodes].map(({ hostPath }) => hostPath);
  return closedNode(files, setup) ?? (device.runsHooks ? toolkitLack(setup.toolkit) : undefined);
}

function hookLack({ part, device }: FoundUnit, setup: HostSetup): string | undefined {
  if (!setup.nvidiaHook) return "NVIDIA's container toolkit is not installed: install nvidia-container-toolkit.";
  if (part !== undefined) return "Parts of a device are given by CDI alone, which cannot be used here.";
  if (device.nodes.length === 0) return "It is not known which device file is the GPU's.";
  if (
    setup.cdi &&
    !waysOf(setup.podRuntime).nvidia.includes("cdi") &&
    isAtLeast(setup.engineVersion, HOOK_ANSWERED_BY_CDI_FROM)
  ) {
    return `The runtime ${setup.podRuntime} cannot do with CDI, and this engine uses it: set \`features.cdi\` to false in its daemon.json.`;
  }
  return toolkitLack(setup.toolkit);
}
