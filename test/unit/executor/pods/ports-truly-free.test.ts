/** When a port that a container published is free again. */
import { beforeEach, expect, it } from "vitest";

import { portsTrulyFree } from "../../../../executor/pods/ending.ts";
import { FakeEnding } from "../../../support/fake-ending.ts";
import { FakeProcesses } from "../../../support/fake-processes.ts";
import { FakeRuntime } from "../../../support/fake-runtime.ts";

const NAME = "lium-pod";
const PORT = { hostPort: 40_001, protocol: "tcp" } as const;
const PROXY = { ...PORT, pid: 77, command: "docker-proxy" };

let engine: FakeEnding;
let processes: FakeProcesses;

beforeEach(() => {
  engine = new FakeEnding(new FakeRuntime());
  processes = new FakeProcesses();
});

function isFree(): Promise<boolean> {
  return portsTrulyFree({ name: NAME, ports: [PORT] }, { engine, processes }, AbortSignal.timeout(5_000));
}

it("a port is free when nobody listens on it", async () => {
  expect(await isFree()).toBe(true);
});

it("a port is not free while a proxy of the engine listens for nobody, or for the container itself", async () => {
  processes.holders.push(PROXY);
  const forNobody = await isFree();
  engine.othersPorts.push({ ...PORT, containerName: NAME });

  expect([forNobody, await isFree()]).toEqual([false, false]);
});

it("a port is no longer the container's when another one publishes it", async () => {
  processes.holders.push(PROXY);
  engine.othersPorts.push({ ...PORT, containerName: "somebody-else" });

  expect(await isFree()).toBe(true);
});

it("a port is no longer the container's when a program of the host took it", async () => {
  processes.holders.push({ ...PORT, pid: 8, command: "nginx" });

  expect(await isFree()).toBe(true);
});

it("nothing is concluded about a held port while the engine does not answer", async () => {
  processes.holders.push(PROXY);
  const runtime = new FakeRuntime();
  runtime.down = true;
  engine = new FakeEnding(runtime);

  await expect(isFree()).rejects.toMatchObject({ code: "engine-unavailable" });
});
