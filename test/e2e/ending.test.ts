/** On the real engine, every end ends: whatever state a container is in, it is gone within 60 s or told as stuck. */
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";

import Docker from "dockerode";
import { afterAll, describe, expect, it } from "vitest";

import { systemClock } from "../../common/clock.ts";
import { exec } from "../../common/exec.ts";
import { createDockerEnding } from "../../executor/docker/dockerode-ending.ts";
import { createDockerRuntime } from "../../executor/docker/dockerode-runtime.ts";
import { linuxProcesses } from "../../executor/host/processes/linux-processes.ts";
import { endContainer, type EndRequest, haltContainer } from "../../executor/pods/ending.ts";
import { endingEngineCompliance } from "../compliance/ending-engine.suite.ts";
import { hostProcessesCompliance } from "../compliance/host-processes.suite.ts";
import { hangFilesInside } from "../support/hanging-files.ts";
import { busyboxImage } from "../support/images.ts";
import { loggerToMemory } from "../support/memory-log.ts";
import { smallContainer } from "../support/small-container.ts";

const socketPath = "/var/run/docker.sock";
const docker = new Docker({ socketPath });
const runtime = createDockerRuntime({ socketPath });
const engine = createDockerEnding({ socketPath });
const processes = linuxProcesses();
const deps = { engine, processes, clock: systemClock(), log: loggerToMemory().log };
const signal = AbortSignal.timeout(15 * 60_000);
const LIMIT_MS = 60_000;

const HANGING = "/mnt/hanging";
const COMMAND = ["/bin/busybox", "sh", "-c", `busybox mkdir -p ${HANGING}; exec busybox sleep 1000`];
const FREEZERS = "/sys/fs/cgroup/freezer/docker";

interface Running {
  readonly request: EndRequest;
  readonly id: string;
  readonly initPid: number;
  readonly shimPid: number;
}

const made: string[] = [];
// Below those that the kernel gives to connections.
let ports = 28_200 + Math.floor(Math.random() * 500);

async function create(): Promise<EndRequest> {
  const name = `lium-end-${process.pid}-${made.length}`;
  made.push(name);
  ports += 1;
  const hostPort = ports;
  const image = await busyboxImage();
  await runtime.create(smallContainer({ name, image, command: COMMAND, hostPort }), signal);
  return { name, graceSeconds: 2, ports: [{ hostPort, protocol: "tcp" }] };
}

async function start(): Promise<Running> {
  const request = await create();
  await runtime.start(request.name, signal);
  const info = await docker.getContainer(request.name).inspect();
  const { shims } = await processes.ofContainer(info.Id, signal);
  const shimPid = shims[0]?.pid;
  if (shimPid === undefined) throw new Error("a container without a shim");
  return { request, id: info.Id, initPid: info.State.Pid, shimPid };
}

async function timed<T>(work: Promise<T>): Promise<{ result: T; ms: number }> {
  const began = performance.now();
  return { result: await work, ms: performance.now() - began };
}

/** That nothing is left: neither for the engine, nor among the processes, nor on the port. */
async function expectNothingOf({ request, id }: Pick<Running, "request" | "id">): Promise<void> {
  expect(await engine.find(request.name, signal)).toBeUndefined();
  expect(await processes.ofContainer(id, signal)).toEqual({ members: [], shims: [] });
  expect(await processes.holdersOf(request.ports, signal)).toEqual([]);
}

afterAll(async () => {
  await Promise.all(made.map((name) => endContainer({ name, graceSeconds: 0, ports: [] }, deps, signal)));
});

describe.concurrent("demand 7: a container ends within 60 s", () => {
  it("when its shim is stopped; another container is not held up", async () => {
    const victim = await start();
    const neighbour = await start();
    process.kill(victim.shimPid, "SIGSTOP");

    const ending = timed(endContainer(victim.request, deps, signal));
    const beside = await timed(endContainer(neighbour.request, deps, signal));
    const { result, ms } = await ending;

    expect(result).toEqual({ kind: "gone" });
    expect(ms).toBeLessThan(LIMIT_MS);
    expect(beside.result).toEqual({ kind: "gone" });
    expect(beside.ms).toBeLessThan(ms);
    await expectNothingOf(victim);
    await expectNothingOf(neighbour);
  });

  it("when a removal by somebody else hangs on its stopped shim", async () => {
    const victim = await start();
    process.kill(victim.shimPid, "SIGSTOP");
    const hanging = docker
      .getContainer(victim.request.name)
      .remove({ force: true })
      .catch((error: unknown) => error);

    const { result, ms } = await timed(endContainer(victim.request, deps, signal));
    await hanging;

    expect(result).toEqual({ kind: "gone" });
    expect(ms).toBeLessThan(LIMIT_MS);
    await expectNothingOf(victim);
  });

  it("when the executor crashed in the middle of it and knows nothing any more", async () => {
    const victim = await start();
    process.kill(victim.shimPid, "SIGSTOP");
    const crash = new AbortController();
    const first = endContainer(victim.request, deps, crash.signal).catch((error: unknown) => error);
    // Long enough for the engine to hang on the first stop, which then outlives the crash.
    await deps.clock.sleep(500, signal);
    crash.abort(new Error("crashed"));
    await first;

    const { result, ms } = await timed(endContainer(victim.request, deps, signal));

    expect(result).toEqual({ kind: "gone" });
    expect(ms).toBeLessThan(LIMIT_MS);
    await expectNothingOf(victim);
  });

  it.skipIf(!existsSync(FREEZERS))("when it is frozen besides", async () => {
    const victim = await start();
    process.kill(victim.shimPid, "SIGSTOP");
    writeFileSync(`${FREEZERS}/${victim.id}/freezer.state`, "FROZEN");

    const { result, ms } = await timed(endContainer(victim.request, deps, signal));

    expect(result).toEqual({ kind: "gone" });
    expect(ms).toBeLessThan(LIMIT_MS);
    await expectNothingOf(victim);
  });

  it.each([
    ["its main process is stopped", ({ initPid }: Running) => void process.kill(initPid, "SIGSTOP")],
    ["it is paused", ({ request }: Running) => docker.getContainer(request.name).pause()],
    ["its shim is dead", ({ shimPid }: Running) => void process.kill(shimPid, "SIGKILL")],
    ["it ended by itself", ({ request }: Running) => docker.getContainer(request.name).kill()],
    ["nothing is wrong", () => undefined],
  ])("when %s", async (_, harm) => {
    const victim = await start();
    await harm(victim);

    const { result, ms } = await timed(endContainer(victim.request, deps, signal));

    expect(result).toEqual({ kind: "gone" });
    expect(ms).toBeLessThan(LIMIT_MS);
    await expectNothingOf(victim);
  });

  it("when it was created and never started", async () => {
    const request = await create();

    const { result } = await timed(endContainer(request, deps, signal));

    expect(result).toEqual({ kind: "gone" });
    expect(await engine.find(request.name, signal)).toBeUndefined();
  });
});

describe.concurrent("demand 7: a container that cannot end is told as stuck", () => {
  it("with pid, state and held ports while a process hears no signal, and ends when the kernel lets that go", async () => {
    const victim = await start();
    const { name } = victim.request;
    {
      await using hanging = await hangFilesInside(victim.initPid, HANGING);
      const asking = await docker
        .getContainer(name)
        .exec({ Cmd: ["/bin/busybox", "stat", `${hanging.folder}/x`], AttachStdout: true });
      await asking.start({ Detach: true });
      await hanging.asked;

      const { result, ms } = await timed(endContainer(victim.request, deps, signal));

      expect(ms).toBeLessThan(LIMIT_MS);
      expect(result).toMatchObject({
        kind: "stuck",
        survivors: expect.arrayContaining([
          expect.objectContaining({ command: "busybox", state: "D", waitsIn: "request_wait_answer" }),
        ]),
        heldPorts: [{ ...victim.request.ports[0], pid: expect.any(Number), command: "docker-proxy" }],
      });
      expect(await engine.find(name, signal)).toMatchObject({ id: victim.id });
    }

    const { result } = await timed(endContainer(victim.request, deps, signal));

    expect(result).toEqual({ kind: "gone" });
    await expectNothingOf(victim);
  });

  it("with the engine's words while its files cannot be removed, and ends when they can", async () => {
    const request = await create();
    const { rootDir } = await runtime.info(signal);
    const { Id: id } = await docker.getContainer(request.name).inspect();
    const folder = `${rootDir}/containers/${id}`;
    const chattr = (how: string) => exec("chattr", [how, folder], { signal, timeoutMs: 5_000 });
    await chattr("+i");
    try {
      const { result, ms } = await timed(endContainer(request, deps, signal));

      expect(result).toMatchObject({ kind: "stuck", survivors: [], engineSays: expect.stringContaining(id) });
      expect(ms).toBeLessThan(LIMIT_MS);
      expect((await docker.getContainer(request.name).inspect()).State.Status).toBe("dead");
    } finally {
      await chattr("-i");
    }

    const { result } = await timed(endContainer(request, deps, signal));

    expect(result).toEqual({ kind: "gone" });
  });
});

describe.concurrent("demand 7: repeating an end is harmless", () => {
  it("twenty times at once and twenty times after", async () => {
    const victim = await start();
    const neighbour = await start();
    const end = () => endContainer(victim.request, deps, signal);

    const atOnce = await Promise.all(Array.from({ length: 20 }, end));
    const after = [];
    for (let round = 0; round < 20; round += 1) after.push(await end());

    expect(new Set([...atOnce, ...after].map(({ kind }) => kind))).toEqual(new Set(["gone"]));
    expect(await engine.find(neighbour.request.name, signal)).toEqual({ id: neighbour.id, state: "running" });
    await expectNothingOf(victim);
  });

  it("twenty times at once on a stopped shim", async () => {
    const victim = await start();
    process.kill(victim.shimPid, "SIGSTOP");

    const all = await timed(Promise.all(Array.from({ length: 20 }, () => endContainer(victim.request, deps, signal))));

    expect(new Set(all.result.map(({ kind }) => kind))).toEqual(new Set(["gone"]));
    expect(all.ms).toBeLessThan(LIMIT_MS);
    await expectNothingOf(victim);
  });
});

it("a container that is only halted is kept, and starts again", async () => {
  const victim = await start();
  process.kill(victim.shimPid, "SIGSTOP");

  const halted = await haltContainer(victim.request, deps, signal);
  await runtime.start(victim.request.name, signal);

  expect(halted).toEqual({ kind: "halted" });
  expect(await engine.find(victim.request.name, signal)).toEqual({ id: victim.id, state: "running" });
});

endingEngineCompliance(async () => ({ engine, runtime, image: await busyboxImage() }));

hostProcessesCompliance(async () => {
  const [a, b] = [await start(), await start()];
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    processes,
    containers: [a.id, b.id],
    heldPort: address.port,
    freePort: 1,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
});
