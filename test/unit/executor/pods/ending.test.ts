/** The ladder: which rung is climbed when, what is told when nothing helps, and that repeating it is harmless. */
import { beforeEach, describe, expect, it } from "vitest";

import { endContainer, haltContainer, stuckError } from "../../../../executor/pods/ending.ts";
import { AppError } from "../../../../protocol/errors.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { FakeEnding } from "../../../support/fake-ending.ts";
import { FakeProcesses } from "../../../support/fake-processes.ts";
import { FakeRuntime } from "../../../support/fake-runtime.ts";
import { loggerToMemory } from "../../../support/memory-log.ts";
import { smallContainer } from "../../../support/small-container.ts";

const NAME = "lium-pod";
const PORTS = [{ hostPort: 40_001, protocol: "tcp" }] as const;
const request = { name: NAME, graceSeconds: 10, ports: PORTS };
const signal = AbortSignal.timeout(10_000);

let runtime: FakeRuntime;
let engine: FakeEnding;
let processes: FakeProcesses;
let clock: FakeClock;

beforeEach(() => {
  runtime = new FakeRuntime();
  engine = new FakeEnding(runtime);
  processes = new FakeProcesses();
  clock = new FakeClock();
});

function deps() {
  return { engine, processes, clock, log: loggerToMemory().log };
}

/** A container that runs, and its id. */
async function running(): Promise<string> {
  runtime.images.set("busybox", { id: "busybox", user: "", entrypoint: [], command: [], stopSignal: undefined });
  const id = await runtime.create(smallContainer({ name: NAME, image: "busybox" }));
  await runtime.start(NAME);
  return id;
}

/** What comes of it, and how long it took. */
async function timed<T>(work: Promise<T>): Promise<{ result: T; ms: number }> {
  let done = false;
  const finished = work.finally(() => (done = true));
  const beganMs = clock.monotonic();
  finished.catch(() => undefined);
  for (let round = 0; round < 2_000; round += 1) {
    await clock.advance(0);
    if (done) break;
    await clock.advance(50);
  }
  return { result: await finished, ms: clock.monotonic() - beganMs };
}

/** A container whose shim is stopped, so that no call about it comes back. */
async function wedged(): Promise<{ id: string; shimPid: number }> {
  const id = await running();
  engine.wedged.add(NAME);
  processes.add(id, "members", { command: "docker-init" });
  const shim = processes.add(id, "shims", { state: "T" });
  processes.onDeath = () => {
    if (!processes.killed.includes(shim.pid)) return;
    engine.wedged.delete(NAME);
    void runtime.stop(NAME);
  };
  return { id, shimPid: shim.pid };
}

describe("a container that obeys", () => {
  it("is stopped and removed, and nothing is killed", async () => {
    await running();

    const { result } = await timed(endContainer(request, deps(), signal));

    expect(result).toEqual({ kind: "gone" });
    expect(engine.calls).toEqual([`stop ${NAME}`, `remove ${NAME}`]);
    expect(processes.killed).toEqual([]);
  });

  it("is only halted when it is to be kept", async () => {
    await running();

    const { result } = await timed(haltContainer(request, deps(), signal));

    expect(result).toEqual({ kind: "halted" });
    expect(runtime.containers.get(NAME)?.seen.state).toBe("exited");
  });

  it("keeps its shim while that ends by itself", async () => {
    const id = await running();
    const shim = processes.add(id, "shims");
    const ending = timed(endContainer(request, deps(), signal));
    await clock.untilSleeping();
    processes.release(shim.pid);

    const { result } = await ending;

    expect(result).toEqual({ kind: "gone" });
    expect(processes.killed).toEqual([]);
  });
});

it.each(["created", "exited"] as const)("a container that is %s is removed without being stopped", async (state) => {
  await running();
  const container = runtime.containers.get(NAME);
  if (container !== undefined) container.seen = { ...container.seen, state };

  const { result } = await timed(endContainer(request, deps(), signal));

  expect(result).toEqual({ kind: "gone" });
  expect(engine.calls).toEqual([`remove ${NAME}`]);
});

it("ending what is gone is harmless, twenty times", async () => {
  const results = [];
  for (let round = 0; round < 20; round += 1) results.push((await timed(endContainer(request, deps(), signal))).result);

  expect(results).toEqual(Array.from({ length: 20 }, () => ({ kind: "gone" })));
  expect(engine.calls).toEqual([]);
});

describe("a container whose shim is stopped", () => {
  it("loses its processes and its shim from outside, and is gone within 60 s", async () => {
    const { shimPid } = await wedged();

    const { result, ms } = await timed(endContainer(request, deps(), signal));

    expect(result).toEqual({ kind: "gone" });
    expect(processes.killed).toContain(shimPid);
    expect(engine.calls).toEqual([`stop ${NAME}`, `kill ${NAME}`, `remove ${NAME}`]);
    expect(ms).toBeLessThanOrEqual(60_000);
  });

  it("does not get the time to end by itself that a sound one gets", async () => {
    await wedged();

    const { ms } = await timed(endContainer(request, deps(), signal));

    expect(ms).toBeLessThan(1_000);
  });

  it("is thawed first where it is frozen too", async () => {
    const { id } = await wedged();
    processes.add(id, "members", { state: "D", waitsIn: "freezer" });

    const { result } = await timed(endContainer(request, deps(), signal));

    expect(result).toEqual({ kind: "gone" });
  });

  it("is ended by whoever comes after a crash, from what is on the machine alone", async () => {
    await wedged();
    const crashed = new AbortController();
    const first = endContainer(request, deps(), crashed.signal);
    await clock.advance(0);
    crashed.abort(new Error("killed"));
    await expect(first).rejects.toThrow("killed");

    const { result } = await timed(endContainer(request, deps(), signal));

    expect(result).toEqual({ kind: "gone" });
  });
});

describe("a process that does not die", () => {
  const D = { command: "python", state: "D", waitsIn: "request_wait_answer" };

  async function survivor(): Promise<{ id: string; pid: number }> {
    const id = await running();
    engine.wedged.add(NAME);
    processes.add(id, "shims");
    processes.holders.push({ ...PORTS[0], pid: 77, command: "docker-proxy" });
    return { id, pid: processes.add(id, "members", D).pid };
  }

  it("makes the container stuck, with its pid and the ports that are still held, within 60 s", async () => {
    const { pid } = await survivor();

    const { result, ms } = await timed(endContainer(request, deps(), signal));

    expect(result).toMatchObject({
      kind: "stuck",
      survivors: [{ pid, ...D }],
      heldPorts: [{ hostPort: 40_001, protocol: "tcp", pid: 77, command: "docker-proxy" }],
    });
    expect(ms).toBeLessThanOrEqual(60_000);
  });

  it("keeps the container in the engine: its id is what finds the survivor after a crash", async () => {
    await survivor();

    await timed(endContainer(request, deps(), signal));

    expect(engine.calls).not.toContain(`remove ${NAME}`);
    expect(runtime.containers.has(NAME)).toBe(true);
  });

  it("does not cost the shim its life: it tells the engine when the end comes after all", async () => {
    await survivor();

    await timed(endContainer(request, deps(), signal));

    expect(processes.killed).toEqual(expect.not.arrayContaining([1_001]));
  });

  it("is gone at the next try once the kernel lets it go", async () => {
    const { pid } = await survivor();
    await timed(endContainer(request, deps(), signal));
    processes.release(pid);
    processes.holders.length = 0;
    engine.wedged.delete(NAME);
    await runtime.stop(NAME);

    const { result } = await timed(endContainer(request, deps(), signal));

    expect(result).toEqual({ kind: "gone" });
  });

  it("is found also where somebody else removed the container from the engine", async () => {
    const { id, pid } = await survivor();
    engine.wedged.delete(NAME);
    await runtime.remove(NAME);

    const { result } = await timed(endContainer({ ...request, containerId: id }, deps(), signal));

    expect(result).toMatchObject({ kind: "stuck", survivors: [{ pid }] });
  });

  it("is told in words that an operator can act on", () => {
    const error = stuckError({
      kind: "stuck",
      survivors: [{ pid: 1672, startTicks: 5, ...D }],
      heldPorts: [{ ...PORTS[0], pid: 77, command: "docker-proxy" }],
      engineSays: undefined,
    });

    expect(error).toMatchObject({ code: "pod-stuck", details: { survivors: [{ pid: 1672 }] } });
    expect(error.message).toBe(
      "Something of the pod is left: process 1672 (python) does not die, state D in request_wait_answer; " +
        "port 40001/tcp is held by process 77 (docker-proxy).",
    );
  });
});

describe("an engine that refuses a removal", () => {
  it("is asked again until it agrees", async () => {
    await running();
    engine.refusals.push(new AppError("engine-error", { message: "device or resource busy" }));

    const { result } = await timed(endContainer(request, deps(), signal));

    expect(result).toEqual({ kind: "gone" });
    expect(engine.calls).toEqual([`stop ${NAME}`, `remove ${NAME}`, `remove ${NAME}`]);
  });

  it("for too long makes the container stuck, with the engine's words", async () => {
    await running();
    engine.refusals.push(
      ...Array.from({ length: 1_000 }, () => new AppError("engine-error", { message: "device or resource busy" })),
    );

    const { result, ms } = await timed(endContainer(request, deps(), signal));

    expect(result).toMatchObject({ kind: "stuck", survivors: [], engineSays: "device or resource busy" });
    expect(ms).toBeLessThanOrEqual(60_000);
  });
});

it("nothing is killed and nothing concluded while the engine does not answer", async () => {
  const id = await running();
  processes.add(id, "members");
  runtime.down = true;

  await expect(endContainer(request, deps(), signal)).rejects.toMatchObject({ code: "engine-unavailable" });
  expect(processes.killed).toEqual([]);
});

it("a port on which a proxy of the engine listens for nobody makes the end stuck", async () => {
  processes.holders.push({ ...PORTS[0], pid: 77, command: "docker-proxy" });

  const { result } = await timed(endContainer(request, deps(), signal));

  expect(result).toMatchObject({ kind: "stuck", survivors: [], heldPorts: [{ hostPort: 40_001, pid: 77 }] });
});
