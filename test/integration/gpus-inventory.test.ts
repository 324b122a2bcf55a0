/**
 * The inventory of a host with a real worker, a compiled library that plays the driver, and a bus that is written for the
 * purpose: what hangs, comes later or goes away is told, and holds nobody up.
 */
import { renameSync } from "node:fs";
import { createServer, get } from "node:http";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { linuxGroups } from "../../executor/gpus/children/groups.ts";
import type { LiveInventory } from "../../executor/gpus/live.ts";
import { type FakeGpu, fakeGpus, type FakeState, fakeUuid } from "../support/gpus/fake-driver.ts";
import { addNvidia } from "../support/gpus/fake-sysfs.ts";
import { changed, codesOf, LiveHost } from "../support/gpus/live-host.ts";

const MIB = 2 ** 20;

let host: LiveHost;

beforeEach(() => {
  host = new LiveHost();
});
afterEach(() => host.remove());

/** Of a host that has these, with a driver that knows them all. */
async function started(gpus: readonly FakeGpu[]): Promise<LiveInventory> {
  host.plug(gpus);
  host.driver.set(gpus);
  const live = host.open();
  await live.start();
  return live;
}

function without(gpus: readonly FakeGpu[], index: number, state: FakeState): FakeGpu[] {
  return gpus.map((gpu, at) => (at === index ? { ...gpu, state } : gpu));
}

/** Asks an API on a socket, over and over, what is known of the devices; gives the time that 99 of 100 answers take at most. */
async function askingFor(ms: number, live: LiveInventory, meanwhile: () => void): Promise<number> {
  const server = createServer((_, response) =>
    response.end(JSON.stringify({ list: live.list(), snapshot: live.snapshot() })),
  );
  const socketPath = join(host.smi.folder, "api.sock");
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const took: number[] = [];
  for (const begun = performance.now(); performance.now() - begun < ms;) {
    const asked = performance.now();
    await new Promise<void>((resolve, reject) => {
      get({ socketPath, path: "/" }, (response) => response.resume().on("end", resolve)).on("error", reject);
    });
    took.push(performance.now() - asked);
    meanwhile();
  }
  server.close();
  return took.toSorted((a, b) => a - b)[Math.floor(took.length * 0.99)] ?? Infinity;
}

describe("a sick device", () => {
  it.each(["hang", "crash"] as const)(
    "demand 3: that makes the library %s delays no word of the seven others by a second, nor the API by 200 ms",
    async (state) => {
      const gpus = fakeGpus(8);
      const live = await started(gpus);
      const fenced = changed(live, ({ kind }) => kind === "fenced");
      host.driver.set(without(gpus, 3, state));
      await fenced;
      let [used, setAtMs, longestMs] = [0, performance.now(), 0];

      const p99Ms = await askingFor(6_000, live, () => {
        const seen = live.snapshot().gpus.map(({ memory }) => memory.usedBytes);
        const isNew = seen.filter((_, at) => at !== 3).every((bytes) => bytes === used * MIB);
        longestMs = Math.max(longestMs, performance.now() - setAtMs);
        if (!isNew) return;
        used += 1;
        setAtMs = performance.now();
        host.driver.set(without(gpus, 3, state).map((gpu) => ({ ...gpu, usedMib: used })));
      });

      expect(p99Ms).toBeLessThan(200);
      expect(used).toBeGreaterThan(5);
      // A look begins every 200 ms, and another is under way when something changes.
      expect(longestMs).toBeLessThan(1_000 + 2 * 200);
    },
  );

  it.each(["fail", "hang", "crash", "lost"] as const)(
    "demand 3: when one of eight turns to %s, seven are healthy and one is fenced with its reason",
    async (state) => {
      const gpus = fakeGpus(8);
      const live = await started(gpus);

      expect(live.list()).toHaveLength(8);
      const fenced = changed(live, ({ kind }) => kind === "fenced");
      host.driver.set(without(gpus, 3, state));

      expect((await fenced).uuid).toBe(fakeUuid(4));
      expect(live.list().map(({ uuid }) => uuid)).toEqual(gpus.filter((_, at) => at !== 3).map(({ uuid }) => uuid));
      const sick = live.snapshot().gpus.find(({ uuid }) => uuid === fakeUuid(4));
      expect(sick?.health).toMatchObject({
        state: "fenced",
        reasons: [{ code: { fail: "failing", hang: "probe-timeout", crash: "driver-crash", lost: "lost" }[state] }],
      });
      expect(sick?.utilisation.gpuPercent).toHaveProperty("unavailable");
    },
  );

  it("is cleared by the next look once it answers again", async () => {
    const gpus = fakeGpus(2);
    host.plug(gpus);
    host.driver.set(without(gpus, 0, "lost"));
    const live = host.open();
    await live.start();

    expect(live.list()).toHaveLength(1);
    const cleared = changed(live, ({ kind }) => kind === "cleared");
    host.driver.set(gpus);
    await cleared;
    expect(live.list()).toHaveLength(2);
  });
});

describe("a driver's tool that ignores SIGTERM and sleeps", () => {
  it("demand 9: costs the API nothing, gives probe-timeout, never piles up, and a start at most 10 s", async () => {
    host.plug(fakeGpus(8));
    host.smi.hang();
    const live = host.open({ nvmlLibrary: "/nonexistent/libnvidia-ml.so.1" });
    const begun = performance.now();
    const started = live.start().then(() => performance.now() - begun);
    let most = 0;
    const p99Ms = await askingFor(7_000, live, () => (most = Math.max(most, host.smi.alive.length)));

    expect(await started).toBeLessThan(10_000);
    expect(p99Ms).toBeLessThan(200);
    expect([host.smi.started, most]).toEqual([expect.any(Number), 1]);
    expect(new Set(Object.values(codesOf(live)).flat())).toEqual(new Set(["probe-timeout"]));
    expect(live.list()).toEqual([]);
    await live.close();
    expect(host.smi.alive).toEqual([]);
  });

  it("does not start another while one cannot be killed", async () => {
    host.plug(fakeGpus(1));
    host.smi.hang();
    const groups = linuxGroups();
    const live = host.open(
      { nvmlLibrary: "/nonexistent/lib.so" },
      { kill: () => undefined, isGone: (leader) => !host.smi.alive.includes(leader) && groups.isGone(leader) },
    );
    await live.look("full");
    const [pid = 0] = host.smi.alive;
    for (let look = 0; look < 5; look += 1) await live.look("full");

    expect([host.smi.started, host.smi.alive]).toEqual([1, [pid]]);
    process.kill(-pid, "SIGKILL");
    await live.close();
  });
});

describe("looking anew", () => {
  it("demand 17: a driver that is installed later brings the devices, without a restart", async () => {
    const gpus = fakeGpus(2);
    for (const { address } of gpus) addNvidia(host.sysfs, { address });
    host.driver.set(gpus);
    const later = join(host.driver.folder, "later.so");
    const live = host.open({ nvmlLibrary: later, nvidiaSmi: "/nonexistent/nvidia-smi" });
    await live.start();

    expect(live.list()).toEqual([]);
    expect(new Set(Object.values(codesOf(live)).flat())).toEqual(new Set(["driver-missing"]));
    const appeared = changed(live, ({ kind, uuid }) => kind === "appeared" && uuid === fakeUuid(2));
    renameSync(host.driver.library, later);
    host.plug(gpus);
    await appeared;
    expect(live.list().map(({ uuid }) => uuid)).toEqual(gpus.map(({ uuid }) => uuid));
    expect(live.snapshot().gpus).toHaveLength(2);
  });

  it("demand 17: a device that is removed is fenced as missing and told; back in another place, it is the same", async () => {
    const gpus = fakeGpus(2);
    const live = await started(gpus);
    const missing = changed(live, ({ kind }) => kind === "missing");
    host.sysfs.unplug(gpus[1]?.address ?? "");
    host.driver.set(gpus.slice(0, 1));

    expect((await missing).uuid).toBe(fakeUuid(2));
    expect(codesOf(live)).toEqual({ [fakeUuid(1)]: [], [fakeUuid(2)]: ["missing"] });
    const returned = changed(live, ({ kind }) => kind === "returned");
    const moved = [{ uuid: fakeUuid(2), address: "0000:43:00.0" }, ...gpus.slice(0, 1)];
    host.plug(moved);
    host.driver.set(moved);

    expect((await returned).uuid).toBe(fakeUuid(2));
    await live.look("full");
    expect(live.list()).toHaveLength(2);
  });

  it("demand 18: devices keep their UUIDs when their indices change places", async () => {
    const gpus = fakeGpus(4);
    const live = await started(gpus);
    const before = live.list();
    const turned = gpus.toReversed();
    host.driver.set(turned);
    host.plug(turned);
    await live.look("full");

    expect(live.list()).toEqual(before);
    expect(Object.values(codesOf(live)).flat()).toEqual([]);
  });

  it("tells a library that was upgraded under its module, and fences until they fit again", async () => {
    const gpus = fakeGpus(1);
    const live = await started(gpus);
    const fenced = changed(live, ({ kind }) => kind === "fenced");
    host.sysfs.write("/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.595.71.05", "");
    host.sysfs.link(
      "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
      "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.595.71.05",
    );

    expect((await fenced).message).toContain("595.71.05");
    expect(codesOf(live)[fakeUuid(1)]).toEqual(["driver-mismatch"]);
  });
});
