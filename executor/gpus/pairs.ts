/**
 * How every two devices reach each other: the PCI tree, direct links, links over switches, XGMI. Pure.
 */
import type { Accelerator, GpuPair, Known, PciPath } from "../../protocol/accelerator.ts";
import { isUnavailable, knownOr, unavailable } from "./known.ts";
import type { PairReading } from "./source.ts";
import { pathBetween, type Place } from "./sysfs/tree.ts";

export interface PairFacts {
  readonly gpus: readonly Accelerator[];
  readonly places: readonly Place[];
  /** By addresses, from sources that know pairs. */
  readonly pairs: readonly PairReading[];
}

export function pairsOf({ gpus, places, pairs }: PairFacts): GpuPair[] {
  const sorted = gpus.toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
  return sorted.flatMap((a, at) => sorted.slice(at + 1).flatMap((b) => pairOf(a, b, { places, pairs })));
}

function pairOf(a: Accelerator, b: Accelerator, { places, pairs }: Pick<PairFacts, "places" | "pairs">): GpuPair[] {
  const [one, other] = [knownOr(a.pciAddress, undefined), knownOr(b.pciAddress, undefined)];
  if (one === undefined || other === undefined) return [];
  const said = pairs.find((pair) => (pair.a === one && pair.b === other) || (pair.a === other && pair.b === one));
  const none = unavailable("not-read");
  return [
    {
      a: a.uuid,
      b: b.uuid,
      path: pathOf(placeAt(places, one), placeAt(places, other)) ?? said?.path ?? none,
      ...linksBetween(a, b, said),
      xgmiWeight: said?.xgmiWeight ?? none,
    },
  ];
}

function placeAt(places: readonly Place[], address: string): Place | undefined {
  return places.find((place) => place.address === address);
}

function pathOf(a: Place | undefined, b: Place | undefined): PciPath | undefined {
  return a === undefined || b === undefined ? undefined : pathBetween(a, b);
}

/** What two devices say of the same links may differ where one of them is sick; the smaller number is what works. */
function linksBetween(
  a: Accelerator,
  b: Accelerator,
  said: PairReading | undefined,
): { nvlinks: Known<number>; overSwitch: boolean } {
  if (isUnavailable(a.fabricLinks) || isUnavailable(b.fabricLinks)) {
    const why = isUnavailable(a.fabricLinks) ? a.fabricLinks : b.fabricLinks;
    return {
      nvlinks: said?.nvlinks ?? (isUnavailable(why) ? why : unavailable("not-read")),
      overSwitch: said?.overSwitch ?? false,
    };
  }
  const direct = Math.min(directLinks(a, b), directLinks(b, a));
  if (direct > 0) return { nvlinks: direct, overSwitch: false };
  const switched = Math.min(switchLinks(a), switchLinks(b));
  return { nvlinks: switched, overSwitch: switched > 0 };
}

function directLinks(from: Accelerator, to: Accelerator): number {
  return activeLinks(from).filter(({ remotePciAddress }) => remotePciAddress === to.pciAddress).length;
}

function switchLinks(gpu: Accelerator): number {
  return activeLinks(gpu).filter(({ remote }) => remote === "switch").length;
}

function activeLinks({ fabricLinks }: Accelerator) {
  return knownOr(fabricLinks, []).filter(({ active, kind }) => active && kind === "nvlink");
}
