/**
 * How AMD's devices are given: `/dev/kfd`, which all share, and the unit's own render node. The kernel's compute driver shows
 * a process only the devices whose render node it may open. Pure.
 */
import { shareOfFiles } from "./files.ts";
import type { FoundUnit } from "./find-unit.ts";
import type { HostSetup } from "./setup.ts";
import { type Lack, lacking, type Share } from "./share.ts";

const COMPUTE = "kfd";

/** A part of a device has a render node of its own; the display node is the whole device's. */
export function amdShare({ device, part }: FoundUnit, setup: HostSetup): Share | Lack {
  const nodes = part?.nodes ?? device.nodes;
  if (!nodes.some((node) => node.startsWith("dri/renderD"))) {
    return lacking("The GPU has no render node: is the amdgpu driver loaded?");
  }
  return shareOfFiles([COMPUTE, ...nodes], setup);
}
