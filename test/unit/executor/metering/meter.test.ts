/** The meter around the heart: what is on disk when, what a full disk does, what a damaged file leaves. */
import { readFileSync, writeFileSync } from "node:fs";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { generateEd25519 } from "../../../../common/ed25519.ts";
import { bootClock } from "../../../../executor/metering/boot-clock.ts";
import { Meter } from "../../../../executor/metering/meter.ts";
import { openUsageStore, type UsageStore } from "../../../../executor/metering/usage-store.ts";
import type { UsageEntry } from "../../../../protocol/usage.ts";
import { podId, T0 } from "../../../support/builders.ts";
import { loggerToMemory } from "../../../support/memory-log.ts";
import { MeteredWorld, TERMS } from "../../../support/metered-world.ts";

let world: MeteredWorld;
beforeEach(() => {
  world = new MeteredWorld();
  world.start();
});
afterEach(() => world.dispose());

async function entries(): Promise<UsageEntry[]> {
  const found: UsageEntry[] = [];
  for await (const { entry } of world.meter.read({})) found.push(entry);
  return found;
}

describe("the meter", () => {
  it("closes what is open once a tick, and at the end", async () => {
    world.add();
    world.pass(150_000);
    expect((await entries()).map(({ ms }) => ms)).toEqual([60_000, 60_000]);

    world.stop();
    world.start();

    expect((await entries()).map(({ ms }) => ms)).toEqual([60_000, 60_000, 30_000]);
  });

  it("writes nothing when a look finds what the last one found", () => {
    const pod = world.add();
    const before = readFileSync(`${world.path}-wal`).length;

    for (let n = 0; n < 10; n += 1) world.look(pod);

    expect(readFileSync(`${world.path}-wal`).length).toBe(before);
  });

  it("leaves alone what nobody has told of since the executor started", async () => {
    world.add();
    world.pass(30_000);
    world.kill();
    const store = openUsageStore(world.path, world.key, T0);
    const clock = { moment: () => ({ bootId: "boot-1", upMs: 900_000, wallMs: T0 + 900_000 }) };
    const { log } = loggerToMemory();
    const meter = new Meter({ store, clock, log, host: world.key.publicKey, readCounters: () => undefined });

    meter.tick();

    expect(store.after(0, 9)).toEqual([]);
    meter.close();
  });

  it("has the counters of the pod's bridge in what it writes", async () => {
    let bytes = 1_000;
    const store = openUsageStore(":memory:", world.key, T0);
    let upMs = 0;
    const meter = new Meter({
      store,
      clock: { moment: () => ({ bootId: "b", upMs, wallMs: T0 + upMs }) },
      log: world.log,
      host: world.key.publicKey,
      readCounters: (bridge) => ({ bridge, rxBytes: bytes, txBytes: bytes * 2 }),
    });
    meter.observe(podId(1), { terms: TERMS, phase: "running", runningSinceMs: T0, bridge: "lium0" });
    [upMs, bytes] = [60_000, 1_500];
    meter.tick();

    expect(await meter.totals({})).toMatchObject([{ billed: { inBytes: 1_000, outBytes: 500 } }]);
    meter.close();
  });

  it("goes through a full disk: nothing is thrown at a lane, and all of it is stored when there is room", () => {
    const { log, logged } = loggerToMemory();
    const store = openUsageStore(":memory:", world.key, T0);
    let full = false;
    const flaky: UsageStore = {
      ...store,
      append: (step) => {
        if (full) throw new Error("database or disk is full");
        store.append(step);
      },
    };
    let upMs = 0;
    const clock = { moment: () => ({ bootId: "b", upMs, wallMs: T0 + upMs }) };
    const meter = new Meter({ store: flaky, clock, log, host: world.key.publicKey, readCounters: () => undefined });
    const look = (phase: "running" | "degraded", atMs: number): void => {
      upMs = atMs;
      meter.observe(podId(1), { terms: TERMS, phase, runningSinceMs: T0 });
    };

    look("running", 0);
    full = true;
    look("degraded", 10_000);
    look("running", 30_000);
    upMs = 90_000;
    meter.tick();
    expect(meter.isFailing).toBe(true);
    full = false;
    meter.tick();

    expect(store.after(0, 9).map(({ body }) => JSON.parse(body).ms)).toEqual([10_000, 20_000, 60_000]);
    expect(meter.isFailing).toBe(false);
    expect(logged.filter((line) => line.includes("waits in memory"))).toHaveLength(1);
    meter.close();
  });
});

describe("a damaged file of usage", () => {
  it("is salvaged; what is lost is told by the verdict, and counting goes on behind it", async () => {
    world.add();
    world.pass(100 * 60_000);
    world.stop();
    const content = readFileSync(world.path);
    const pageSize = content.readUInt16BE(16);
    const pages = Array.from({ length: content.length / pageSize }, (_, index) => index * pageSize);
    const ofEntries = pages.filter((at) => content.toString("latin1", at, at + pageSize).includes('"memoryBytes"'));
    const [at = 0] = ofEntries.slice(Math.floor(ofEntries.length / 2));
    content.fill(0xaa, at, at + pageSize);
    writeFileSync(world.path, content);

    world.start();
    world.pass(60_000);
    const verdict = await world.meter.verify();

    expect(verdict.intact).toBe(false);
    expect(verdict.faults.map(({ code }) => code)).toContain("entry-missing");
    expect(verdict.entries).toBeGreaterThan(20);
    expect((await entries()).at(-1)).toMatchObject({ ms: 60_000, kind: "billed" });
  });
});

describe("the clock of the boot", () => {
  it("gives the same to every process, in whole milliseconds", async () => {
    const { execFileSync } = await import("node:child_process");
    const clock = bootClock("b", { now: () => T0 + 0.4 });
    const read = "process.stdout.write(String(process.hrtime.bigint() / 1_000_000n))";

    const before = clock.moment();
    const other = Number(execFileSync(process.execPath, ["-e", read], { encoding: "utf8" }));
    const after = clock.moment();

    expect(before).toEqual({ bootId: "b", upMs: Math.floor(before.upMs), wallMs: T0 });
    expect(other).toBeGreaterThanOrEqual(before.upMs);
    expect(other).toBeLessThanOrEqual(after.upMs);
  });
});

describe("the key", () => {
  it("of another host makes no chain that goes on from this one", () => {
    const store = openUsageStore(":memory:", generateEd25519(), T0);

    expect(store.last()).toBeUndefined();
    expect(store.seal("head")).toBeUndefined();
    store.close();
  });
});
