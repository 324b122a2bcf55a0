/**
 * Usable, not running: what a renter meets on a real engine when the pod's SSH, its main process or its GPU fails. Most of it is
 * waiting, so that all of it happens at the same time.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, it } from "vitest";

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

async function untilEvent(podId: PodId, code: string): Promise<PodEvent> {
  for await (const event of live.client.podEvents(
    { params: { podId }, query: { follow: "true" } },
    AbortSignal.timeout(90_000),
  )) {
    if (event.code === code) return event;
  }
  throw new Error(`no event ${code}`);
}

it.concurrent("demand 2: a pod whose SSH server is killed is degraded within 60 s, healed once, and unbilled from the first failed probe", async ({
  expect,
}) => {
  const view = await live.rent({ image });
  const before = await live.ssh(view, "echo $$; cat /.lium/run/dropbear.pid");
  expect(before.exitCode).toBe(0);

  const killedAtMs = Date.now();
  await live.ssh(view, "kill -9 $(cat /.lium/run/dropbear.pid)");
  const degraded = await untilEvent(view.podId, "degraded");
  const healed = await untilEvent(view.podId, "ssh-restarted");
  const back = await live.untilPhase(view.podId, "running");

  expect(Date.parse(degraded.at) - killedAtMs).toBeLessThan(60_000);
  expect(degraded).toMatchObject({ fault: "provider", details: { unbilledSince: expect.any(String) } });
  expect(Date.parse(String(degraded.details?.["unbilledSince"]))).toBeGreaterThanOrEqual(killedAtMs);
  expect(healed.fault).toBe("provider");
  expect(back.status.unbilledSince).toBeUndefined();
  expect((await live.ssh(view, "echo again")).stdout).toBe("again\n");
  await live.terminate(view.podId);
});

it.concurrent("demand 35: an image that ends at its start is a crash loop after three tries, with its cause, its last lines and its fault", async ({
  expect,
}) => {
  const script = "echo starting; echo cannot find the model >&2; exit 3";
  const { podId } = await live.client.createPod({
    body: { spec: live.spec({ image, command: ["/bin/busybox", "sh", "-c", script] }) },
  });

  const loop = await untilEvent(podId, "crash-loop");

  expect(loop).toMatchObject({
    fault: "renter",
    details: { exit: { code: 3, cause: "exit code 3", tries: 3, nextTryAt: expect.any(String) } },
  });
  expect(JSON.stringify(loop.details)).toContain("cannot find the model");
  await live.terminate(podId);
});

it.concurrent("demand 35: running out of memory is named", async ({ expect }) => {
  const hog = "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo $#x";
  const { podId } = await live.client.createPod({
    body: { spec: live.spec({ image, memoryBytes: 32 * 2 ** 20, command: ["/bin/busybox", "sh", "-c", hog] }) },
  });

  const exit = await untilEvent(podId, "exited");

  expect(exit).toMatchObject({ fault: "renter", details: { exit: { oomKilled: true, cause: "out of memory" } } });
  await live.terminate(podId);
});

describe.concurrent("a sick GPU", () => {
  it(
    "demand 20: is fenced by the kernel's word, degrades its pod alone, and is given again when it was booted or cleared",
    { concurrent: false },
    async ({ expect }) => {
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
    },
  );

  it(
    "demand 4: that is lost and comes back is tested before anybody gets it",
    { concurrent: false },
    async ({ expect }) => {
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
    },
  );
});
