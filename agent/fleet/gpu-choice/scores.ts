/**
 * How much two GPUs of a host gain from being in one pod, as numbers that can be added up. Pure.
 */
import type { Gpu, GpuLink } from "../../../protocol/gpu.ts";

/** A square of whole numbers with the same above and below its diagonal of zeros. */
export type Scores = readonly (readonly number[])[];

/** Above every link: parts of one device are near each other, and others stay whole. */
const SAME_DEVICE = 10_000;
const NVSWITCH = 1000;
/** Links that are down count against a device, and more than where it is on the PCI tree. */
const NVSWITCH_LINK = 10;
const DIRECT_NVLINK = 100;
const XGMI = 800;
const ONE_XGMI_HOP = 15;
const PCI_PATH: Readonly<Record<NonNullable<GpuLink["path"]>, number>> = {
  "same-board": 65,
  "one-switch": 55,
  switches: 45,
  "host-bridge": 35,
  "numa-node": 25,
  system: 10,
};

/** In the order of the units. What is not known of a pair counts nothing; of two that speak of one pair the worse holds. */
export function scoresOf(units: readonly Gpu[], links: readonly GpuLink[]): Scores {
  const byPair = new Map<string, number>();
  for (const link of links) {
    const key = pairKey(link.a, link.b);
    byPair.set(key, Math.min(byPair.get(key) ?? Infinity, scoreOf(link)));
  }
  return units.map((a) =>
    units.map((b) => {
      if (a === b) return 0;
      const [one, other] = [deviceOf(a), deviceOf(b)];
      return one === other ? SAME_DEVICE : (byPair.get(pairKey(one, other)) ?? 0);
    }),
  );
}

function deviceOf({ uuid, partition }: Gpu): string {
  return partition?.parent ?? uuid;
}

function pairKey(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

function scoreOf({ path, nvlinks = 0, overSwitch = false, xgmiWeight }: GpuLink): number {
  const overPci = path === undefined ? 0 : PCI_PATH[path];
  return overPci + nvlinkScore(nvlinks, overSwitch) + (xgmiWeight === undefined ? 0 : xgmiScore(xgmiWeight));
}

function nvlinkScore(links: number, overSwitch: boolean): number {
  if (links === 0) return 0;
  return overSwitch ? NVSWITCH + NVSWITCH_LINK * links : DIRECT_NVLINK * links;
}

function xgmiScore(weight: number): number {
  return Math.round((XGMI * ONE_XGMI_HOP) / Math.max(ONE_XGMI_HOP, weight));
}
