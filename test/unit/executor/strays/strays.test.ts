/** Sweeps: what is due goes, a dry run changes nothing, and what is not known for sure is left alone. */
import { beforeEach, describe, expect, it } from "vitest";

import { createKeyedLock } from "../../../../common/keyed-lock.ts";
import type { EndResult } from "../../../../executor/pods/ending.ts";
import type { Known } from "../../../../executor/strays/decide.ts";
import { Strays } from "../../../../executor/strays/strays.ts";
import { podId } from "../../../support/builders.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { FakeStrayObjects } from "../../../support/fake-stray-objects.ts";
import { FakeThings } from "../../../support/fake-things.ts";
import { loggerToMemory } from "../../../support/memory-log.ts";

const HOST = "our-key";
const GRACE_MS = 600_000;
const STATE = "/var/lib/lium-executor";
const LOOP = { path: "/dev/loop0", device: "7:0", file: `${STATE}/volumes/a.img` };
const signal = AbortSignal.timeout(10_000);

let objects: FakeStrayObjects;
let things: FakeThings;
let clock: FakeClock;
let memory: string | undefined;
let known: Known | undefined;
let end: (name: string, signal: AbortSignal) => Promise<EndResult>;

beforeEach(() => {
  objects = new FakeStrayObjects();
  things = new FakeThings();
  clock = new FakeClock();
  memory = undefined;
  known = { host: HOST, podState: () => "over", networks: new Set(), ownFolders: [STATE] };
  end = async (name) => {
    objects.containers = objects.containers.filter((container) => container.name !== name);
    return { kind: "gone" };
  };
});

/** Another instance over the same world: what a restart of the executor leaves. */
function strays(): Strays {
  return new Strays(
    { graceMs: GRACE_MS, everyMs: 60_000, podFolders: [`${STATE}/pods`] },
    {
      objects,
      things,
      end: (name, until) => end(name, until),
      known: () => known,
      memory: { load: () => memory, save: (text) => (memory = text) },
      lock: createKeyedLock(),
      clock,
      log: loggerToMemory().log,
    },
  );
}

/** One stray of each kind, made now. */
function litter(): void {
  const createdAtMs = clock.now();
  const labels = { "lium.host": HOST, "lium.pod": podId(2), "lium.network": "x" };
  const needs = { networks: [], volumes: [] };
  objects.containers = [{ name: "container", state: "created", labels, createdAtMs, ...needs }];
  objects.volumes = [{ name: "volume", labels, createdAtMs }];
  objects.networks = [{ name: "network", labels, createdAtMs }];
  things.folders = [{ path: `${STATE}/pods/${podId(2)}`, createdAtMs }];
  things.mounts = [{ path: `${STATE}/disks/${podId(2)}`, device: "0:99" }];
  things.loops = [LOOP];
}

function left(): number {
  const { containers, volumes, networks } = objects;
  return [containers, volumes, networks, things.folders, things.mounts, things.loops].flat().length;
}

async function outcomes(sweep: { dryRun: boolean; graceMs?: number } = { dryRun: false }): Promise<string[]> {
  return (await strays().sweep(sweep, signal)).strays.map(({ kind, outcome }) => `${kind} ${outcome}`);
}

describe("a sweep", () => {
  it("removes one of each kind after the grace, and none before", async () => {
    litter();

    const early = await outcomes();
    await clock.advance(GRACE_MS - 1);
    await outcomes();
    const before = left();
    await clock.advance(1);
    const due = await outcomes();

    expect(early.every((line) => line.endsWith("young"))).toBe(true);
    expect(before).toBe(6);
    expect(due).toEqual([
      "container removed",
      "mount removed",
      "loop removed",
      "network removed",
      "volume removed",
      "folder removed",
    ]);
    expect(left()).toBe(0);
  });

  it("that is a dry run says what would go, and changes and remembers nothing", async () => {
    litter();

    const dry = await outcomes({ dryRun: true, graceMs: 0 });

    expect(dry).toHaveLength(6);
    expect(dry.every((line) => line.endsWith("would-remove"))).toBe(true);
    expect(left()).toBe(6);
    expect(memory).toBeUndefined();
  });

  it("without a grace removes at once", async () => {
    litter();

    await outcomes({ dryRun: false, graceMs: 0 });

    expect(left()).toBe(0);
  });

  it("counts the age of what has none from when it was first seen, also across a restart", async () => {
    things.loops = [LOOP];
    await outcomes();
    await clock.advance(GRACE_MS);

    expect(await outcomes()).toEqual(["loop removed"]);
  });

  it("begins to count anew for what belonged to somebody meanwhile", async () => {
    things.loops = [LOOP];
    await outcomes();
    things.mounts = [{ path: "/mnt", device: LOOP.device }];
    await clock.advance(GRACE_MS);
    await outcomes();
    things.mounts = [];

    expect(await outcomes()).toEqual(["loop young"]);
  });

  it("whose memory is damaged waits for the grace again", async () => {
    things.loops = [LOOP];
    memory = "{";

    expect(await outcomes()).toEqual(["loop young"]);
  });
});

describe("nothing is concluded", () => {
  it("while the engine does not answer: folders stay too", async () => {
    litter();
    objects.down = true;
    await clock.advance(GRACE_MS);

    const report = await strays().sweep({ dryRun: false, graceMs: 0 }, signal);

    expect(report).toMatchObject({ problem: "the fake engine is down", strays: [] });
    expect(left()).toBe(6);
  });

  it("before the ledger was read", async () => {
    litter();
    known = undefined;

    const report = await strays().sweep({ dryRun: false, graceMs: 0 }, signal);

    expect(report.problem).toBeDefined();
    expect(left()).toBe(6);
  });

  it("from what was known before: a pod that came meanwhile keeps what is its own", async () => {
    litter();
    end = async () => {
      known = known && { ...known, podState: () => "live" };
      return { kind: "gone" };
    };

    const lines = await outcomes({ dryRun: false, graceMs: 0 });

    expect(lines).toContain("folder kept");
    expect(things.folders).toHaveLength(1);
    expect(objects.volumes).toHaveLength(1);
  });
});

it("what cannot be removed is told with the reason, and holds up nothing else", async () => {
  litter();
  end = async () => ({ kind: "stuck", survivors: [], heldPorts: [], engineSays: "device busy" });

  const report = await strays().sweep({ dryRun: false, graceMs: 0 }, signal);

  expect(report.strays.find(({ kind }) => kind === "container")).toMatchObject({
    outcome: "failed",
    detail: expect.stringContaining("device busy"),
  });
  expect(left()).toBe(1);
});

it("two sweeps at once do not meet", async () => {
  litter();
  let ending = 0;
  let most = 0;
  end = async () => {
    most = Math.max(most, (ending += 1));
    await Promise.resolve();
    ending -= 1;
    return { kind: "gone" };
  };
  const one = strays();

  await Promise.all([1, 2, 3].map(() => one.sweep({ dryRun: false, graceMs: 0 }, signal)));

  expect(most).toBe(1);
});

describe("a start", () => {
  it("sweeps first, and then every so often until it is closed", async () => {
    const subject = strays();
    await subject.start();
    litter();
    await clock.advance(60_000);
    const young = left();
    await clock.advance(GRACE_MS);
    await subject.close();

    expect([young, left()]).toEqual([6, 0]);
  });

  it("does not wait for a leftover that does not end, and closing gives up on it", async () => {
    litter();
    await clock.advance(GRACE_MS);
    end = async (_name, until) => {
      await clock.sleep(3_600_000, until);
      return { kind: "gone" };
    };
    const subject = strays();
    const started = subject.start();
    await clock.advance(5_000);
    await started;

    await subject.close();

    expect(left()).toBe(6);
  });
});
