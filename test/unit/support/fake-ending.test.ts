/** The fakes of the end of containers keep the promises of their ports. */
import { endingEngineCompliance } from "../../compliance/ending-engine.suite.ts";
import { hostProcessesCompliance } from "../../compliance/host-processes.suite.ts";
import { FakeEnding } from "../../support/fake-ending.ts";
import { FakeProcesses } from "../../support/fake-processes.ts";
import { FakeRuntime } from "../../support/fake-runtime.ts";

const runtime = new FakeRuntime();
runtime.images.set("busybox", { id: "busybox", user: "", entrypoint: [], command: [], stopSignal: undefined });
const engine = new FakeEnding(runtime);
endingEngineCompliance(async () => ({ engine, runtime, image: "busybox" }));

hostProcessesCompliance(async () => {
  const processes = new FakeProcesses();
  const containers = ["a".repeat(64), "b".repeat(64)] as const;
  for (const id of containers) {
    processes.add(id, "members");
    processes.add(id, "shims");
  }
  processes.holders.push({ hostPort: 40_001, protocol: "tcp", pid: 7, command: "docker-proxy" });
  return { processes, containers, heldPort: 40_001, freePort: 40_002, [Symbol.asyncDispose]: async () => undefined };
});
