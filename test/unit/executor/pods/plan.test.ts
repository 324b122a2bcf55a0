/** The plan reaches the goal from every state, and does nothing to a pod that is as it should be. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { SeenContainer } from "../../../../executor/docker/runtime.ts";
import { withExit } from "../../../../executor/pods/exits.ts";
import { nextStep, type Step } from "../../../../executor/pods/plan.ts";
import { goalOf, type PodRecord, type Seen, type SshHealth, withSeenStart } from "../../../../executor/pods/state.ts";
import { OTHER_SSH_KEY, podRecord, podSpec, seenContainer, SSH_KEY, T0, wantedPod } from "../../../support/builders.ts";

/** The world of one pod: what is on disk, what the engine has, and what only memory knows. */
interface World {
  record: PodRecord;
  container: SeenContainer | undefined;
  imageIsHere: boolean;
  keys: readonly string[] | undefined;
  ssh: SshHealth | undefined;
  clockMs: number;
  startedTimes: number;
}

const IMAGE = { id: "sha256:1", user: "", entrypoint: [], command: [], stopSignal: undefined };
const MAX_STEPS = 8;
/** Time has not passed since SSH was tried, nor since the last exit. */
const STILL = {
  sinceProbeMs: 0,
  sinceExitMs: 0,
  pace: { probeEveryMs: 20_000, restart: { firstDelayMs: 5_000, maxDelayMs: 300_000 } },
};

function look({ container, imageIsHere, keys }: World): Seen {
  return { container, image: container === undefined && imageIsHere ? IMAGE : undefined, keys, hostKey: undefined };
}

/** Does the step in the world; `recorded` false is a crash after the act and before the executor could note it. */
function act(world: World, step: Step, recorded: boolean): void {
  world.clockMs += 7;
  const stopped = { state: "exited" as const, finishedAtMs: world.clockMs };
  switch (step) {
    case "pull":
      world.imageIsHere = true;
      break;
    case "create":
      if (world.container !== undefined) throw new Error("a second container for one pod");
      world.container = seenContainer({ state: "created", startedAtMs: undefined });
      world.keys = world.record.wanted.spec.sshKeys;
      break;
    case "start":
      if (world.container === undefined) throw new Error("start without a container");
      world.container = { ...world.container, state: "running", startedAtMs: world.clockMs };
      world.keys = world.record.wanted.spec.sshKeys;
      world.startedTimes += 1;
      break;
    case "see-gpus":
      if (recorded && world.record.given !== undefined && world.container?.startedAtMs !== undefined) {
        const { nodes } = world.record.given;
        world.record = { ...world.record, given: { nodes, seenStartMs: world.container.startedAtMs } };
      }
      break;
    case "write-keys":
      world.keys = world.record.wanted.spec.sshKeys;
      break;
    case "probe":
      if (recorded) world.ssh = { startedAtMs: world.container?.startedAtMs ?? 0, state: "ready" };
      break;
    case "check":
      throw new Error("time has not passed");
    case "heal":
      if (recorded) {
        const startedAtMs = world.container?.startedAtMs ?? 0;
        world.record = { ...world.record, healedStartMs: startedAtMs };
        world.ssh = { startedAtMs, state: "healing" };
      }
      break;
    case "remake":
      world.container = undefined;
      if (recorded) {
        world.record = { ...world.record, remade: true, lastStart: undefined };
        world.ssh = undefined;
      }
      break;
    case "examine":
      if (recorded && world.container !== undefined) {
        const facts = { container: world.container, hostWentDown: false, log: [] };
        world.record = withExit(world.record, facts);
      }
      break;
    case "stop":
      if (world.container !== undefined) world.container = { ...world.container, ...stopped };
      break;
    case "remove":
    case "end":
      world.container = undefined;
      break;
    case "release":
      if (world.container !== undefined) throw new Error("released with a container left");
      world.keys = undefined;
      if (recorded) world.record = { ...world.record, overAt: new Date(T0).toISOString() };
      break;
  }
  if (recorded) world.record = withSeenStart(world.record, world.container);
}

/** The executor dies and comes back: memory is gone, and it looks before it plans. */
function crash(world: World): void {
  world.ssh = undefined;
  world.record = withSeenStart(world.record, world.container);
}

function run(world: World, crashes: readonly number[]): Step[] {
  const steps: Step[] = [];
  const left = [...crashes];
  world.record = withSeenStart(world.record, world.container);
  for (let count = 0; count < MAX_STEPS * (crashes.length + 1); count += 1) {
    const step = nextStep({ ...STILL, record: world.record, seen: look(world), ssh: world.ssh, nowMs: T0 });
    if (step === undefined) return steps;
    steps.push(step);
    const crashNow = left[0] === count;
    act(world, step, !crashNow);
    if (crashNow) {
      left.shift();
      crash(world);
    }
  }
  throw new Error(`no end after ${steps.join(", ")}`);
}

function newWorld(over: Partial<World> = {}): World {
  const base = { container: undefined, imageIsHere: false, keys: undefined, ssh: undefined };
  return { record: podRecord(), clockMs: T0, startedTimes: 0, ...base, ...over };
}

const goals = fc.constantFrom("running" as const, "stopped" as const, "ended" as const);
const containers = fc.option(
  fc.record({
    state: fc.constantFrom("created" as const, "running" as const, "exited" as const, "removing" as const),
    startedAtMs: fc.constantFrom(T0 + 1, T0 + 2),
  }),
  { nil: undefined },
);
const worlds = fc
  .record({
    goal: goals,
    runs: fc.integer({ min: 1, max: 3 }),
    lastStart: fc.option(
      fc.record({ run: fc.integer({ min: 1, max: 3 }), startedAtMs: fc.constantFrom(T0 + 1, T0 + 2) }),
      {
        nil: undefined,
      },
    ),
    container: containers,
    imageIsHere: fc.boolean(),
    keys: fc.constantFrom(undefined, [SSH_KEY], [OTHER_SSH_KEY]),
    failed: fc.boolean(),
    given: fc.option(
      fc.record({ nodes: fc.array(fc.constant("/dev/nvidia0")), seenStartMs: fc.constantFrom(T0 + 1, T0 + 2) }),
      { nil: undefined },
    ),
  })
  .map(({ goal, runs, lastStart, container, failed, given, ...rest }) => {
    const record = podRecord({
      wanted: wantedPod({ goal, runs }),
      ...(lastStart === undefined ? {} : { lastStart }),
      ...(given === undefined ? {} : { given }),
      ...(failed ? { failure: { code: "x", message: "x" } } : {}),
    });
    const startedAtMs = container?.state === "created" ? undefined : container?.startedAtMs;
    return newWorld({ ...rest, record, container: container && seenContainer({ ...container, startedAtMs }) });
  });

function isReached({ record, container, keys, ssh }: World): boolean {
  switch (goalOf(record, T0)) {
    case "ended":
      return record.overAt !== undefined && container === undefined;
    case "stopped":
      return container === undefined || container.state === "exited" || container.state === "created";
    case "running":
      if (container?.state === "exited")
        return record.lastStart !== undefined && record.lastStart.run >= record.wanted.runs;
      return (
        container?.state === "running" &&
        JSON.stringify(keys) === JSON.stringify(record.wanted.spec.sshKeys) &&
        (record.given === undefined || record.given.seenStartMs === container.startedAtMs) &&
        ssh?.startedAtMs === container.startedAtMs
      );
  }
}

describe("nextStep", () => {
  it("makes a new pod in the order pull, create, start, probe", () => {
    expect(run(newWorld(), [])).toEqual(["pull", "create", "start", "probe"]);
  });

  it("reaches the goal within a bounded number of steps from every state", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        run(world, []);
        expect(isReached(world)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it("reaches the goal from every state after crashes between any two steps", () => {
    const crashes = fc
      .uniqueArray(fc.integer({ min: 0, max: 12 }), { maxLength: 4 })
      .map((at) => at.toSorted((a, b) => a - b));
    fc.assert(
      fc.property(worlds, crashes, (world, at) => {
        run(world, at);
        expect(isReached(world)).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });

  it("is idle once the goal is reached: planning again gives no step", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        run(world, []);
        expect(
          nextStep({ ...STILL, record: world.record, seen: look(world), ssh: world.ssh, nowMs: T0 }),
        ).toBeUndefined();
      }),
    );
  });

  it("never starts the main process a second time after one crash", () => {
    for (let at = 0; at < 6; at += 1) {
      const world = newWorld();
      run(world, [at]);
      expect(world.startedTimes, `crash after step ${at}`).toBe(1);
    }
  });

  it("a restart stops and starts once, and not again after the executor restarts", () => {
    const world = newWorld();
    run(world, []);
    world.record = { ...world.record, wanted: wantedPod({ revision: 2, runs: 2 }) };

    expect(run(world, [])).toEqual(["stop", "start", "probe"]);
    crash(world);
    expect(run(world, [])).toEqual(["probe"]);
  });

  it("a pod whose main process ended by itself is left as it is, until a start is asked for", () => {
    const world = newWorld();
    run(world, []);
    world.container = seenContainer({ ...world.container, state: "exited", finishedAtMs: T0 + 99 });

    expect(run(world, [])).toEqual(["examine"]);
    world.record = { ...world.record, wanted: wantedPod({ revision: 2, runs: 2 }) };
    expect(run(world, [])).toEqual(["start", "probe"]);
  });

  it("a pod with device files is looked into after every start, before anything else", () => {
    const world = newWorld({ record: podRecord({ given: { nodes: ["/dev/nvidia0"] } }) });

    expect(run(world, [])).toEqual(["pull", "create", "start", "see-gpus", "probe"]);
    world.record = { ...world.record, wanted: wantedPod({ revision: 2, runs: 2 }) };
    expect(run(world, [])).toEqual(["stop", "start", "see-gpus", "probe"]);
  });

  it("a pod that nobody could log in to is made anew, once, and only while it is new", () => {
    const container = seenContainer({ state: "running", startedAtMs: T0 + 1 });
    const made = withSeenStart(podRecord({ healedStartMs: T0 + 1, timeline: { created: 500 } }), container);
    const seen = look(newWorld({ container, keys: made.wanted.spec.sshKeys }));
    const stepOf = (record: PodRecord, nowMs: number) =>
      nextStep({ ...STILL, record, seen, ssh: { startedAtMs: T0 + 1, state: "lost" }, nowMs });
    const atMs = made.acceptedAtMs + 500;

    expect(stepOf(made, atMs + 600_000 - 1)).toBe("remake");
    expect(stepOf({ ...made, healedStartMs: undefined }, atMs)).toBe("heal");
    expect(stepOf(made, atMs + 600_000)).toBeUndefined();
    expect(stepOf({ ...made, remade: true }, atMs)).toBeUndefined();
    expect(stepOf({ ...made, timeline: { created: 500, sshReady: 900 } }, atMs)).toBeUndefined();
    expect(stepOf({ ...made, timeline: {} }, atMs)).toBeUndefined();
  });

  it("changed keys are written without touching the container", () => {
    const world = newWorld();
    run(world, []);
    world.record = {
      ...world.record,
      wanted: wantedPod({ revision: 2, spec: podSpec({ sshKeys: [SSH_KEY, OTHER_SSH_KEY] }) }),
    };

    expect(run(world, [])).toEqual(["write-keys"]);
  });

  it("a clock that jumps by hours restarts nothing", () => {
    const world = newWorld();
    run(world, []);
    for (const jump of [-7_200_000, 3_000_000]) {
      expect(
        nextStep({ ...STILL, record: world.record, seen: look(world), ssh: world.ssh, nowMs: T0 + jump }),
      ).toBeUndefined();
    }
  });
});
