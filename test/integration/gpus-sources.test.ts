/**
 * Which source speaks for NVIDIA's devices where the one before it is of no use, through real children and a made-up
 * nvidia-smi in its good and bad days.
 */

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { fakeGpus, fakeUuid } from "../support/gpus/fake-driver.ts";
import type { FakeSmi } from "../support/gpus/fake-smi.ts";
import { codesOf, LiveHost } from "../support/gpus/live-host.ts";
import { smiLog } from "../support/gpus/smi-xml.ts";

let host: LiveHost;

beforeEach(() => {
  host = new LiveHost();
});
afterEach(() => host.remove());

describe("the sources after the library", () => {
  const nowhere = { nvmlLibrary: "/nonexistent/libnvidia-ml.so.1" };
  const help = '"uuid" or "gpu_uuid"\n"pci.bus_id"\n"name"\n"index"\n"memory.total"\n"temperature.gpu"\n';
  const rows = [
    `${fakeUuid(1)}, 00000000:53:00.0, 0, NVIDIA H100 80GB HBM3, 81559, 41`,
    "Unable to determine the device handle for GPU0000:54:00.0: GPU is lost.  Reboot the system to recover this GPU",
  ].join("\n");

  it("are nvidia-smi's tables, of which the whole rows count whatever it exits with", async () => {
    host.plug(fakeGpus(2));
    host.smi.answer(
      { "--help": help, "--query-gpu": rows, "--query-compute": `${fakeUuid(1)}, 4242, 512`, topo: "" },
      15,
    );
    const live = host.open(nowhere);
    await live.start();

    expect(live.list().map(({ uuid }) => uuid)).toEqual([fakeUuid(1)]);
    expect(codesOf(live)).toEqual({ [fakeUuid(1)]: [], [fakeUuid(2)]: ["lost"] });
    expect(live.snapshot().sources.map(({ name, state }) => `${name} ${state}`)).toEqual([
      "nvml absent",
      "nvidia-smi ok",
      "sysfs ok",
    ]);
  });

  it("are node-nvidia-smi's data where the tables are of no use", async () => {
    host.plug(fakeGpus(1));
    host.smi.answer({ "-q": smiLog([{ address: "0000:53:00.0", number: 1 }]) });
    const live = host.open(nowhere);
    await live.start();

    expect(live.list().map(({ uuid }) => uuid)).toEqual([fakeUuid(1)]);
    expect(live.snapshot().sources.map(({ name }) => name)).toContain("node-nvidia-smi");
    expect(live.snapshot().gpus[0]).toMatchObject({
      power: { drawWatts: 98.31 },
      sources: ["node-nvidia-smi", "procfs", "sysfs"],
    });
  });

  it.each([
    ["prints nothing and succeeds", (one: FakeSmi) => one.answer({ "-q": "" })],
    ["prints half of its XML", (one: FakeSmi) => one.answer({ "-q": "<nvidia_smi_log><gpu>" })],
    ["prints more than 1 MiB", (one: FakeSmi) => one.answer({ "-q": "x".repeat(2 ** 21) })],
    ["complains on stderr", (one: FakeSmi) => one.complain("WARNING: infoROM is corrupted", smiLog([]))],
    ["is not there", (one: FakeSmi) => one.remove()],
  ])("give a reason and no devices when nvidia-smi %s", async (_, spoil) => {
    host.plug(fakeGpus(1));
    spoil(host.smi);
    const live = host.open(nowhere);
    await live.start();

    expect(live.list()).toEqual([]);
    expect(codesOf(live)[fakeUuid(1)]).toEqual([expect.stringMatching(/^(driver-failed|library-missing)$/)]);
  });

  it("are not asked at all where no device of NVIDIA's is on the bus", async () => {
    host.smi.hang();
    const live = host.open(nowhere);
    await live.start();

    expect(host.smi.started).toBe(0);
    expect(live.snapshot()).toMatchObject({ gpus: [], sources: [{ name: "sysfs", state: "ok" }] });
  });
});
