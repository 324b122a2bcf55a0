/**
 * Which accelerators a container holds that is none of our pods, by what the engine says it was given. What cannot be made
 * out counts as every device that it may be: something unknown is never free. Pure.
 */
import type { Accelerator, Accelerators, AcceleratorVendor } from "../../../protocol/accelerator.ts";
import type { GpuUuid } from "../../../protocol/ids.ts";
import type { ContainerDevices } from "../../docker/runtime.ts";
import { knownOr } from "../known.ts";
import type { CdiDevice } from "./cdi.ts";
import { unitsOf } from "./find-unit.ts";

export interface HoldersContext {
  readonly snapshot: Pick<Accelerators, "gpus">;
  readonly cdiDevices: ReadonlyMap<string, CdiDevice>;
}

const CDI_VENDORS: Readonly<Record<string, AcceleratorVendor>> = {
  "nvidia.com": "nvidia",
  "amd.com": "amd",
  "intel.com": "intel",
  "gpu.intel.com": "intel",
  "habana.ai": "intel",
};

/** Variables that runtimes of vendors read. */
const SELECTORS: readonly {
  readonly runtime: RegExp;
  readonly variable: string;
  readonly vendor: AcceleratorVendor;
}[] = [
  { runtime: /^nvidia/, variable: "NVIDIA_VISIBLE_DEVICES", vendor: "nvidia" },
  { runtime: /^amd$/, variable: "AMD_VISIBLE_DEVICES", vendor: "amd" },
  { runtime: /^habana$/, variable: "HABANA_VISIBLE_DEVICES", vendor: "intel" },
];

/** The real devices, and the parts of them, that the container has. */
export function heldBy(container: ContainerDevices, context: HoldersContext): GpuUuid[] {
  const real = context.snapshot.gpus.filter(({ simulated }) => !simulated);
  const held = [
    ...container.requests.flatMap((request) => requested(request, real, context)),
    ...byFiles(container.files, real),
    ...SELECTORS.flatMap(({ runtime, variable, vendor }) => {
      const value = runtime.test(container.runtime) ? container.env[variable] : undefined;
      return value === undefined ? [] : byNames(value.split(","), ofVendor(real, vendor));
    }),
  ];
  return [...new Set(held)];
}

/** Every unit of these devices. */
export function everyUnit(gpus: readonly Accelerator[]): GpuUuid[] {
  return gpus.flatMap((gpu) => unitsOf(gpu).map(({ uuid }) => uuid));
}

function ofVendor(gpus: readonly Accelerator[], vendor: AcceleratorVendor): Accelerator[] {
  return gpus.filter((gpu) => gpu.vendor === vendor);
}

type Request = ContainerDevices["requests"][number];

function requested(
  { driver, ids, count, capabilities }: Request,
  real: readonly Accelerator[],
  context: HoldersContext,
): GpuUuid[] {
  if (driver === "cdi") return ids.flatMap((id) => byCdi(id, real, context));
  if (driver === "" && !capabilities.some((all) => all.includes("gpu"))) return [];
  const vendor = vendorOf(driver, real);
  const gpus = vendor === undefined ? real : ofVendor(real, vendor);
  if (ids.length > 0) return byNames(ids, gpus);
  if (count < 0) return everyUnit(gpus);
  return byNames(
    Array.from({ length: count }, (_, index) => String(index)),
    gpus,
  );
}

/** Whose driver answers a request that names none: NVIDIA's where there is one. */
function vendorOf(driver: string, real: readonly Accelerator[]): AcceleratorVendor | undefined {
  if (driver === "") return real.some(({ vendor }) => vendor === "nvidia") ? "nvidia" : "amd";
  return (["nvidia", "amd", "intel"] as const).find((vendor) => driver === vendor || driver.startsWith(`${vendor}.`));
}

/** By UUID, else by the files that the specification gives it; `all` has those of every device. */
function byCdi(id: string, real: readonly Accelerator[], { cdiDevices }: HoldersContext): GpuUuid[] {
  const [kind = "", name = ""] = id.split("=");
  const vendor = CDI_VENDORS[kind.split("/")[0] ?? ""];
  const gpus = vendor === undefined ? real : ofVendor(real, vendor);
  const named = byUuid(name, gpus);
  if (named !== undefined) return named;
  const device = cdiDevices.get(id);
  if (device !== undefined) {
    const files = device.nodes.map(({ path }) => path);
    const found = byFiles(files, real);
    // A device of another sort, such as a network card's, has files that are no accelerator's.
    if (found.length > 0 || (vendor === undefined && files.length > 0)) return found;
  }
  return byNames([name], gpus);
}

/** UUIDs or indices, as `0`, or as `0:1` for a part; `all`, and names that nobody knows, stand for every device. */
function byNames(names: readonly string[], gpus: readonly Accelerator[]): GpuUuid[] {
  return names.flatMap((name) => {
    if (name === "" || name === "none" || name === "void") return [];
    const named = byUuid(name, gpus);
    if (named !== undefined) return named;
    const index = /^(\d+)(?::\d+)?$/.exec(name)?.[1];
    const found = gpus.filter((gpu) => index !== undefined && knownOr(gpu.index, -1) === Number(index));
    return everyUnit(found.length > 0 ? found : gpus);
  });
}

/** A whole device holds its parts; a part also keeps its device from being given as a whole. */
function byUuid(name: string, gpus: readonly Accelerator[]): GpuUuid[] | undefined {
  const whole = gpus.find(({ uuid }) => uuid === name);
  if (whole !== undefined) return everyUnit([whole]);
  const part = gpus.flatMap(({ partitions }) => partitions).find(({ uuid }) => uuid === name);
  return part && [part.uuid, part.parent];
}

/** Files of the host, or folders of them. Those that all devices share tell nothing. */
function byFiles(files: readonly string[], gpus: readonly Accelerator[]): GpuUuid[] {
  const has = (nodes: readonly string[]): boolean =>
    nodes.some((node) => files.some((file) => file === `/dev/${node}` || `/dev/${node}`.startsWith(`${file}/`)));
  return gpus.flatMap((gpu) => {
    const parts = gpu.partitions.filter(({ nodes }) => has(nodes)).map(({ uuid }) => uuid);
    if (has(gpu.nodes)) return parts.length > 0 ? [gpu.uuid, ...parts] : everyUnit([gpu]);
    return parts.length > 0 ? [gpu.uuid, ...parts] : [];
  });
}
