/** Usable, not running: what a renter meets on a real engine when the pod's own SSH or main process fails. */
import { afterAll, beforeAll, it } from "vitest";

import type { PodId } from "../../../protocol/ids.ts";
import type { PodEvent } from "../../../protocol/pod.ts";
import { busyboxImage } from "../../support/images.ts";
import { type Live, startLive } from "../../support/live.ts";

let live: Live;
let image: string;
beforeAll(async () => {
  image = await busyboxImage();
  live = await startLive();
});
afterAll(() => live[Symbol.asyncDispose]());

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
