/**
 * What went over a pod's own network, from the kernel's counters of its bridge on the host. What the bridge receives comes
 * from the pod, what it sends goes there. The counters begin anew when the bridge is made and when the machine boots.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Counters {
  readonly bridge: string;
  readonly rxBytes: number;
  readonly txBytes: number;
}

/** A network interface's name in Linux; anything else would be a path. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/;

/** Undefined when there is no such bridge, or it cannot be read. `root`: where the kernel shows its interfaces. */
export function readCounters(bridge: string, root = "/sys/class/net"): Counters | undefined {
  if (!NAME.test(bridge)) return undefined;
  const read = (name: string): number => {
    const text = readFileSync(join(root, bridge, "statistics", name), "utf8").trim();
    if (!/^\d+$/.test(text)) throw new RangeError(`${name} is no number`);
    return Number(text);
  };
  try {
    return { bridge, rxBytes: read("rx_bytes"), txBytes: read("tx_bytes") };
  } catch {
    return undefined;
  }
}

/** To the pod and from it. Nothing is said of another bridge; one whose counters went back was made anew. */
export function bytesBetween(
  before: Counters,
  after: Counters,
): { readonly inBytes: number; readonly outBytes: number } | undefined {
  if (before.bridge !== after.bridge) return undefined;
  const isNew = after.rxBytes < before.rxBytes || after.txBytes < before.txBytes;
  const [rx, tx] = isNew ? [0, 0] : [before.rxBytes, before.txBytes];
  return { inBytes: after.txBytes - tx, outBytes: after.rxBytes - rx };
}
