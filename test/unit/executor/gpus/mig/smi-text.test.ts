/** What nvidia-smi prints of MIG is read as it prints it. */
import { describe, expect, it } from "vitest";

import { parseGrid, parseInstances, parseMode } from "../../../../../executor/gpus/mig/smi-text.ts";

describe("what nvidia-smi prints of MIG", () => {
  it("is read from its tables, whatever stands between the rows", () => {
    const table = [
      "+-------------------------------------------------------+",
      "| GPU instances:                                        |",
      "| GPU   Name             Profile  Instance   Placement  |",
      "|                          ID       ID       Start:Size |",
      "|=======================================================|",
      "|   0  MIG 1g.10gb         19       13          6:1     |",
      "+-------------------------------------------------------+",
      "|   0  MIG 1g.10gb+me      20        7          4:1     |",
      "+-------------------------------------------------------+",
    ].join("\n");

    expect(parseInstances(table)).toEqual([
      { id: 13, profile: "1g.10gb", start: 6 },
      { id: 7, profile: "1g.10gb+me", start: 4 },
    ]);
  });

  it("is a grid of the profiles that have both a row and places", () => {
    const rows = [
      "| GPU   Name             ID    Instances   Memory     P2P    SM    DEC   ENC  |",
      "|   0  MIG 1g.6gb        14     0/4        5.81       No     14     1     0   |",
      "|                                                             1     0     0   |",
      "|   0  MIG 4g.24gb        0     1/1        23.69      No     56     4     0   |",
      "|   0  MIG 9g.99gb       77     1/1        23.69      No     56     4     0   |",
    ].join("\n");
    const places = "GPU  0 Profile ID 14 Placements: {0,1,4,5}:1\nGPU  0 Profile ID  0 Placement : {0}:8\n";

    expect(parseGrid(rows, places)).toEqual({
      computeSlices: 4,
      profiles: [
        { name: "1g.6gb", computeSlices: 1, size: 1, starts: [0, 1, 4, 5], most: 4 },
        { name: "4g.24gb", computeSlices: 4, size: 8, starts: [0], most: 1 },
      ],
    });
    expect(parseGrid("No MIG-enabled devices found.", "")).toBeUndefined();
  });

  it.each([
    ["Enabled, Enabled\n", "on"],
    ["Disabled, Disabled\n", "off"],
    ["Disabled, Enabled\n", "pending"],
    ["Enabled, Disabled\n", "pending"],
    ["[N/A], [N/A]\n", "unsupported"],
    ["", "unsupported"],
  ])("is the mode: %j is %s", (text, mode) => {
    expect(parseMode(text)).toBe(mode);
  });
});
