/** How near two devices are follows from the bridges that lead to them. */
import { describe, expect, it } from "vitest";

import { pathBetween, type Place } from "../../../../../executor/gpus/sysfs/tree.ts";

function place(steps: string, numaNode?: number): Place {
  return { address: "", path: `/sys/devices/${steps}`, numaNode };
}

describe("pathBetween", () => {
  const here = place("pci0000:50/0000:50:01.0/0000:51:00.0/0000:52:00.0/0000:53:00.0", 0);

  it.each([
    ["same-board", place("pci0000:50/0000:50:01.0/0000:51:00.0/0000:52:00.0/0000:53:01.0", 0)],
    ["one-switch", place("pci0000:50/0000:50:01.0/0000:51:00.0/0000:52:01.0/0000:54:00.0", 0)],
    ["switches", place("pci0000:50/0000:50:01.0/0000:55:00.0/0000:56:00.0/0000:57:00.0", 0)],
    ["host-bridge", place("pci0000:50/0000:50:02.0/0000:60:00.0", 0)],
    ["numa-node", place("pci0000:70/0000:70:01.0/0000:71:00.0", 0)],
    ["system", place("pci0000:a0/0000:a0:01.0/0000:a1:00.0", 1)],
    ["system", place("pci0000:a0/0000:a0:01.0/0000:a1:00.0")],
  ])("is %s to %o", (path, there) => {
    expect(pathBetween(here, there)).toBe(path);
    expect(pathBetween(there, here)).toBe(path);
  });

  it("is unknown where the tree is", () => {
    expect(pathBetween(here, { address: "", path: undefined, numaNode: 0 })).toBeUndefined();
  });
});
