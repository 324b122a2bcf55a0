/**
 * How near two devices are, from their paths through the bridges of the PCI tree. Pure.
 */
import type { PciPath } from "../../../protocol/accelerator.ts";

export interface Place {
  readonly address: string;
  /** Such as `/sys/devices/pci0000:50/0000:50:01.0/0000:51:00.0/0000:52:00.0/0000:53:00.0`. */
  readonly path: string | undefined;
  /** Undefined where the kernel names none. */
  readonly numaNode: number | undefined;
}

/** Undefined where a path is not known. */
export function pathBetween(a: Place, b: Place): PciPath | undefined {
  const [one, other] = [stepsOf(a), stepsOf(b)];
  if (one === undefined || other === undefined) return undefined;
  if (one.root !== other.root) {
    if (a.numaNode === undefined || b.numaNode === undefined) return "system";
    return a.numaNode === b.numaNode ? "numa-node" : "system";
  }
  const shared = sharedSteps(one.bridges, other.bridges);
  if (shared === 0) return "host-bridge";
  const apart = Math.max(one.bridges.length, other.bridges.length) - shared;
  if (apart === 0) return "same-board";
  return apart === 1 ? "one-switch" : "switches";
}

/** The root complex, and every bridge on the way to the device but not the device itself. */
function stepsOf({ path }: Place): { root: string; bridges: readonly string[] } | undefined {
  const steps = path?.split("/") ?? [];
  const at = steps.findIndex((step) => /^pci[0-9a-f]{4,8}:[0-9a-f]{2}$/i.test(step));
  const root = steps[at];
  return root === undefined ? undefined : { root, bridges: steps.slice(at + 1, -1) };
}

function sharedSteps(one: readonly string[], other: readonly string[]): number {
  const differs = one.findIndex((step, at) => step !== other[at]);
  return differs < 0 ? one.length : differs;
}
