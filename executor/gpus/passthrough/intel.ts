/**
 * How Intel's devices are given: a GPU by its render and display nodes; a Gaudi by Intel's runtime where the engine has it,
 * else by its device files. Pure.
 */
import { shareOfFiles } from "./files.ts";
import type { FoundUnit } from "./find-unit.ts";
import type { HostSetup } from "./setup.ts";
import { type Lack, lacking, type Share } from "./share.ts";

const GAUDI_RUNTIME = "habana";

export function intelShare({ device, part }: FoundUnit, setup: HostSetup): Share | Lack {
  const nodes = part?.nodes ?? device.nodes;
  if (!nodes.some((node) => node.startsWith("dri/renderD"))) {
    return lacking("The GPU has no render node: is the i915 or xe driver loaded?");
  }
  return shareOfFiles(nodes, setup);
}

/** Intel's runtime is runc with a hook, so that it takes the place of runc alone. */
export function gaudiShare({ device }: FoundUnit, setup: HostSetup): Share | Lack {
  if (device.nodes.length === 0) return lacking("The Gaudi has no device files: is the habanalabs driver loaded?");
  const share = shareOfFiles(device.nodes, setup);
  const index = device.nodes.map((node) => /(?:accel|hl)(\d+)$/.exec(node)?.[1]).find((found) => found !== undefined);
  const isRunc = setup.podRuntime === "runc";
  if ("lack" in share || index === undefined || !isRunc || !setup.runtimes.includes(GAUDI_RUNTIME)) return share;
  return { ...share, files: [], groups: [], selectors: { HABANA_VISIBLE_DEVICES: index }, runtime: GAUDI_RUNTIME };
}
