/** Where GPUs fail on many hosts at the same time, none of them treats anything by itself until an operator says so. */
import { describe, expect, it } from "vitest";

import { FleetBreaker, WAVE } from "../../../../agent/gpus/breaker.ts";
import { createLogger } from "../../../../common/logger.ts";
import { healthOf } from "../../../../executor/gpus/merge.ts";
import { GpuUuid, HostId } from "../../../../protocol/ids.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const log = createLogger({ name: "test", level: "silent" });
const FENCED = healthOf([{ code: "lost", message: "It is lost.", fence: true }]);
const WELL = healthOf([]);

function host(index: number): HostId {
  return HostId.parse(`host-${String(index).padStart(16, "0")}`);
}

function fleet(hosts: number) {
  const clock = new FakeClock();
  const breaker = new FleetBreaker({ clock, log });
  const told: (string | undefined)[] = [];
  breaker.onChange(() => told.push(breaker.forbidden));
  const tell = (index: number, ...fenced: boolean[]): void => {
    const gpus = fenced.map((sick, at) => ({
      uuid: GpuUuid.parse(`GPU-${index}-${at}`),
      health: sick ? FENCED : WELL,
    }));
    breaker.saw(host(index), gpus);
  };
  for (let index = 0; index < hosts; index += 1) tell(index, false, false);
  return { clock, breaker, told, tell };
}

describe("the fleet's brake", () => {
  it("demand 21: holds every host where 40 % of 20 fail within minutes, until an operator lets them go on", async () => {
    const { clock, breaker, told, tell } = fleet(20);
    const tripped: boolean[] = [];
    for (let index = 0; index < 8; index += 1) {
      tell(index, true, false);
      tripped.push(breaker.view().tripped);
      await clock.advance(30_000);
    }
    const view = breaker.view();
    breaker.resume();

    // More than a fifth of twenty are five.
    expect(tripped).toEqual([false, false, false, false, true, true, true, true]);
    expect(view).toMatchObject({ tripped: true, hosts: [0, 1, 2, 3, 4].map(host) });
    expect(told).toEqual([expect.stringContaining("lium-agent gpus resume"), undefined]);
    expect(breaker.view()).toEqual({ tripped: false });
  });

  it("does not hold for many GPUs of few hosts, nor for what was sick before, nor for what comes slowly", async () => {
    const { clock, breaker, tell } = fleet(9);
    tell(0, true, true);
    tell(1, true, true);
    breaker.saw(host(9), [{ uuid: GpuUuid.parse("GPU-old"), health: FENCED }]);
    await clock.advance(WAVE.withinMs);
    for (let index = 2; index < 9; index += 1) {
      await clock.advance(WAVE.withinMs / 2 + 1);
      tell(index, true, false);
    }

    expect(breaker.forbidden).toBeUndefined();
  });

  it("counts a host's GPU once, however often it is told", () => {
    const { breaker, tell } = fleet(3);
    for (let again = 0; again < 5; again += 1) tell(0, true, false);

    expect(breaker.forbidden).toBeUndefined();
  });

  it("trips anew after an operator's word, by what happens after it", () => {
    const { breaker, tell } = fleet(4);
    for (const index of [0, 1, 2]) tell(index, true, false);
    breaker.resume();
    for (const index of [0, 1]) tell(index, true, true);
    const two = breaker.forbidden;
    tell(3, true, true);

    expect(two).toBeUndefined();
    expect(breaker.forbidden).toBeDefined();
  });
});
