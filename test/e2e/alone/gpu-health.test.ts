/** A sick GPU on a host that works: its renter is told and pays nothing, the others notice nothing, and it heals by itself. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, it } from "vitest";

import { knownOr } from "../../../executor/gpus/known.ts";
import type { Accelerators } from "../../../protocol/accelerator.ts";
import type { GpuHealthReport } from "../../../protocol/host-api/health.ts";
import type { GpuUuid, PodId } from "../../../protocol/ids.ts";
import type { PodEvent } from "../../../protocol/pod.ts";
import { busyboxImage } from "../../support/images.ts";
import { type Live, startLive } from "../../support/live.ts";

const run = promisify(execFile);

let live: Live;
let image: string;
beforeAll(async () => {
  image = await busyboxImage();
  live = await startLive();
});
afterAll(() => live[Symbol.asyncDispose]());

/** A command of this host's operator. */
async function operator<T>(...args: readonly string[]): Promise<T> {
  const config = join(live.stack.executorDir, "executor.toml");
  const { stdout } = await run(process.execPath, ["executor/cli/main.ts", ...args, "--config", config, "--json"]);
  return JSON.parse(stdout);
}

async function untilEvent(podId: PodId, code: string): Promise<PodEvent> {
  const query = { params: { podId }, query: { follow: "true" } } as const;
  for await (const event of live.client.podEvents(query, AbortSignal.timeout(90_000))) {
    if (event.code === code) return event;
  }
  throw new Error(`no event ${code}`);
}

async function untilHealth(holds: (report: GpuHealthReport) => boolean): Promise<GpuHealthReport> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const report = await operator<GpuHealthReport>("gpus", "incidents");
    if (holds(report)) return report;
    if (Date.now() > deadline) throw new Error(`not in time: ${JSON.stringify(report)}`);
  }
}

async function freeGpus(): Promise<number> {
  const { offers } = await live.client.capacity({});
  return offers.reduce((sum, { gpus }) => sum + gpus.filter(({ free }) => free).length, 0);
}

async function untilFree(count: number): Promise<void> {
  const deadline = Date.now() + 60_000;
  while ((await freeGpus()) !== count) {
    await sleep(250);
    if (Date.now() > deadline) throw new Error(`${await freeGpus()} GPUs are free, not ${count}`);
  }
}

it("demand 20: is fenced by the kernel's word, degrades its pod alone, and is given again when it was booted or cleared", async () => {
  const view = await live.rent({ image, gpus: { count: 1 } });
  const neighbour = await live.rent({ image, gpus: { count: 1 } });
  const [gpu] = view.status.gpus as [GpuUuid];
  const { gpus } = await operator<Accelerators>("gpus", "list");
  const place = knownOr(gpus.find(({ uuid }) => uuid === gpu)!.pciAddress, "").slice(0, -2);
  const saidAtMs = Date.now();

  await operator("faults", "inject", "--kernel", `NVRM: Xid (PCI:${place}): 79, GPU has fallen off the bus.`);
  const degraded = await untilEvent(view.podId, "degraded");
  const { incidents, fences } = await untilHealth((report) => report.fences.length > 0);

  expect(degraded).toMatchObject({
    fault: "provider",
    message: expect.stringContaining("fallen off the bus") as string,
  });
  expect(Date.parse(degraded.at) - saidAtMs).toBeLessThan(60_000);
  expect(Date.parse(String(degraded.details?.["unbilledSince"]))).toBeGreaterThanOrEqual(saidAtMs - 1_000);
  expect(incidents).toMatchObject([{ gpu, podId: view.podId, fault: "provider", code: "xid-79" }]);
  expect(fences).toMatchObject([{ gpu, cure: "reboot", breaks: true }]);
  expect((await live.ssh(neighbour, "echo here")).stdout).toBe("here\n");
  expect((await live.untilPhase(neighbour.podId, "running")).status.reason).toBeUndefined();

  await live.terminate(view.podId);
  await untilFree(2);
  const cleared = await operator("gpus", "clear", gpu, "--reason", "The riser was changed.");
  await untilFree(3);

  expect(cleared).toMatchObject({ action: "clear", by: "operator", gpus: [gpu] });
  await live.terminate(neighbour.podId);
});

it("demand 4: that is lost and comes back is tested before anybody gets it", async () => {
  await untilFree(4);
  const { gpus } = await operator<Accelerators>("gpus", "list");
  const [gpu] = gpus.map(({ uuid }) => uuid) as [GpuUuid];
  await operator("faults", "inject", "--gpu", gpu, "--code", "lost");
  await untilFree(3);
  const ordered = await operator("faults", "list");
  await operator("faults", "clear");
  await untilFree(4);
  const { remedies } = await operator<GpuHealthReport>("gpus", "incidents");

  expect(ordered).toMatchObject({ faults: [{ gpu, code: "lost" }] });
  expect(remedies.at(-1)).toMatchObject({ action: "validate", outcome: "done", gpus: [gpu] });
});
