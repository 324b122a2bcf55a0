/**
 * What a container gets so that it sees exactly its own accelerators, in the words of the engine's API. Pure.
 */
import type { Accelerators } from "../../../protocol/accelerator.ts";
import type { GpuUuid } from "../../../protocol/ids.ts";
import type { DeviceRequest } from "../../docker/runtime.ts";
import { amdShare } from "./amd.ts";
import { findUnit, type FoundUnit } from "./find-unit.ts";
import { gaudiShare, intelShare } from "./intel.ts";
import { nvidiaShare } from "./nvidia.ts";
import type { HostSetup } from "./setup.ts";
import { type Lack, lacking, type Share } from "./share.ts";

export interface Grant extends Omit<Share, "groups"> {
  /** Numbers: an image need not know the host's groups. */
  readonly groups: readonly string[];
}

/** Everything that these units add together; undefined where they are all made up. */
export function grantOf(
  uuids: readonly GpuUuid[],
  snapshot: Pick<Accelerators, "gpus">,
  setup: HostSetup,
): Grant | Lack | undefined {
  const found: FoundUnit[] = [];
  for (const uuid of uuids) {
    const unit = findUnit(snapshot, uuid);
    if (unit === undefined) return lacking(`GPU ${uuid} is not on this host.`);
    if (!unit.device.simulated) found.push(unit);
  }
  if (found.length === 0) return undefined;
  const shares: Share[] = [];
  for (const unit of found) {
    const share = shareOf(unit, setup);
    if ("lack" in share) return share;
    shares.push(share);
  }
  const runtimes = new Set(shares.map(({ runtime }) => runtime));
  if (runtimes.size > 1) return lacking("GPUs that need different runtimes cannot be in one pod.");
  return together(shares);
}

/** What one real unit adds, or why it cannot be given. */
export function shareOf(unit: FoundUnit, setup: HostSetup): Share | Lack {
  switch (unit.device.vendor) {
    case "nvidia":
      return nvidiaShare(unit, setup);
    case "amd":
      return amdShare(unit, setup);
    case "intel":
      return unit.device.uuid.startsWith("GAUDI-") ? gaudiShare(unit, setup) : intelShare(unit, setup);
  }
}

function together(shares: readonly Share[]): Grant {
  const runtime = shares[0]?.runtime;
  const selectors: Record<string, string> = {};
  for (const [name, value] of shares.flatMap((share) => Object.entries(share.selectors))) {
    const before = selectors[name];
    selectors[name] = before === undefined ? value : `${before},${value}`;
  }
  return {
    requests: joined(shares.flatMap(({ requests }) => requests)),
    files: unique(
      shares.flatMap(({ files }) => files),
      ({ PathInContainer }) => PathInContainer,
    ),
    groups: [...new Set(shares.flatMap(({ groups }) => groups))].filter((gid) => gid !== 0).map(String),
    selectors,
    ...(runtime === undefined ? {} : { runtime }),
    nodes: [...new Set(shares.flatMap(({ nodes }) => nodes))],
  };
}

/** One request for each driver. */
function joined(requests: readonly DeviceRequest[]): DeviceRequest[] {
  return unique(requests, ({ Driver }) => Driver).map((first) => ({
    ...first,
    DeviceIDs: requests.flatMap(({ Driver, DeviceIDs }) => (Driver === first.Driver ? DeviceIDs : [])),
  }));
}

function unique<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  return [...new Map(items.toReversed().map((item) => [keyOf(item), item])).values()].toReversed();
}
