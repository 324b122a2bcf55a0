/**
 * Devices that are given as their device files, with the groups that may use them. Pure.
 */
import type { HostSetup } from "./setup.ts";
import { type Lack, lacking, type Share } from "./share.ts";
import { waysOf } from "./ways.ts";

/** Why pods cannot use one of these files of the host, where their users are nobody there. */
export function closedNode(paths: readonly string[], { usersMapped, nodes }: HostSetup): string | undefined {
  const closed = paths.find((path) => nodes.get(path)?.forAll === false);
  if (!usersMapped || closed === undefined) return undefined;
  return `The engine maps the users of pods, and ${closed} is for one group alone: give it mode 0666 by a udev rule.`;
}

/** `nodes` are names below /dev; all of them must be there. */
export function shareOfFiles(nodes: readonly string[], setup: HostSetup): Share | Lack {
  const { devices, podRuntime } = setup;
  const ways = waysOf(podRuntime);
  if (!ways.nodes) {
    const why = ways.why ?? "files of the host cannot be used in it";
    return lacking(`GPUs cannot be given to pods in the runtime ${podRuntime}: ${why}.`);
  }
  const missing = nodes.find((node) => !setup.nodes.has(`${devices}/${node}`));
  if (missing !== undefined)
    return lacking(`The device file ${devices}/${missing} is not there: is the driver loaded?`);
  const closed = closedNode(
    nodes.map((node) => `${devices}/${node}`),
    setup,
  );
  if (closed !== undefined) return lacking(closed);
  return {
    requests: [],
    files: nodes.map((node) => ({
      PathOnHost: `${devices}/${node}`,
      PathInContainer: `/dev/${node}`,
      CgroupPermissions: "rwm",
    })),
    groups: nodes.flatMap((node) => setup.nodes.get(`${devices}/${node}`)?.gid ?? []),
    selectors: {},
    nodes: nodes.map((node) => `/dev/${node}`),
  };
}
