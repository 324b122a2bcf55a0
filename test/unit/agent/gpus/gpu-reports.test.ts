/** What the agent keeps of hosts' reports, and what it asks for when one does not fit. */
import { describe, expect, it } from "vitest";

import { GpuReports } from "../../../../agent/gpus/gpu-reports.ts";
import { gpuDiff, type GpuReport, type GpuState, NO_GPUS } from "../../../../protocol/gpu-report.ts";
import { hostId } from "../../../support/agent-builders.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { accelerator, toldState } from "../../../support/gpus/told.ts";
import { loggerToMemory } from "../../../support/memory-log.ts";

const HOST = hostId(1);
const ONE = toldState([accelerator(1)]);
const TWO = toldState([accelerator(1), accelerator(2)]);
const everything = (state: GpuState, cursor: string): GpuReport => ({ ...gpuDiff(NO_GPUS, state), cursor });

function scene() {
  const { log, logged } = loggerToMemory();
  const reports = new GpuReports({ clock: new FakeClock(), log });
  const asked: (string | undefined)[] = [];
  const listen = () => reports.listen(HOST, (from) => asked.push(from));
  return { reports, asked, listen, logged };
}

describe("a host that links", () => {
  it("is asked for everything the first time, and from its last report on when it comes back", () => {
    const { reports, asked, listen } = scene();

    listen()(everything(ONE, "a"));
    listen();

    expect(asked).toEqual([undefined, "a"]);
    expect(reports.of(HOST)?.state).toEqual(ONE);
  });
});

describe("a report that does not fit", () => {
  it("leads to one request for everything, however many follow, and changes nothing until then", () => {
    const { reports, asked, listen } = scene();
    const take = listen();
    take(everything(ONE, "a"));
    const stray = { ...gpuDiff(ONE, TWO), cursor: "c", after: "b" };

    take(stray);
    take({ ...stray, cursor: "d", after: "c" });
    expect(asked).toEqual([undefined, undefined]);
    expect(reports.of(HOST)?.state).toEqual(ONE);

    take(everything(TWO, "e"));
    take(stray);
    expect(asked).toHaveLength(3);
    expect(reports.of(HOST)?.state).toEqual(TWO);
  });

  it("of words that are not known costs the host's picture until it links again, and nothing is thrown", () => {
    const { reports, asked, listen, logged } = scene();
    const take = listen();
    take(everything(ONE, "a"));

    take({ ...everything(TWO, "b"), novelty: 1 });
    take(everything(TWO, "c"));
    expect(reports.of(HOST)).toBeUndefined();
    expect(asked).toHaveLength(1);
    expect(JSON.stringify(logged)).toContain("cannot be read");

    listen()(everything(TWO, "d"));
    expect(reports.of(HOST)?.state).toEqual(TWO);
  });
});

describe("memory", () => {
  it("holds 4,096 hosts, and lets go of the one that told longest ago", () => {
    const { reports } = scene();
    for (let n = 0; n <= 4_096; n += 1) reports.listen(hostId(n), () => undefined)(everything(ONE, "a"));

    expect(reports.of(hostId(0))).toBeUndefined();
    expect(reports.of(hostId(1))).toBeDefined();
    expect(reports.of(hostId(4_096))).toBeDefined();
  });
});
