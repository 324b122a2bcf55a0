/** All faults but those of engine.test.ts, beside which these are played. */
import { expect, it } from "vitest";

import { playFaults } from "../support/arena/play.ts";
import { FAULTS, GROUPS } from "./faults.ts";
import { engineFaults } from "./faults/engine.ts";
import { longFaults } from "./faults/long.ts";

playFaults(
  "host",
  GROUPS.filter((group) => group !== engineFaults && group !== longFaults),
);

it("each fault has a name of its own", () => {
  expect(FAULTS.map(({ name }) => name)).toEqual([...new Set(FAULTS.map(({ name }) => name))]);
});
