/** Remedies on this machine: a test that a device passes or fails, and resets by the vendor's tool, as their users know them. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type LiveRemediesOptions, liveRemedies } from "../../executor/gpus/health/live-remedies.ts";
import type { Remedies } from "../../executor/gpus/health/remedies.ts";
import { mergeReadings } from "../../executor/gpus/merge.ts";
import type { Accelerator, AcceleratorReading } from "../../protocol/accelerator.ts";
import { GpuUuid } from "../../protocol/ids.ts";
import { workerParts } from "../support/challenges/run.ts";

const signal = new AbortController().signal;

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "gpu-remedies-"));
});

afterAll(() => rmSync(dir, { recursive: true }));

function remedies(options: LiveRemediesOptions = {}): Remedies {
  return liveRemedies(options, workerParts());
}

function gpu(reading: Partial<AcceleratorReading> = {}): Accelerator {
  return mergeReadings([{ uuid: GpuUuid.parse("GPU-1"), vendor: "nvidia", pciAddress: "0000:17:00.0", ...reading }]);
}

/** A tool that keeps its arguments, says something and ends so. */
function tool(name: string, says: string, status: number): { file: string; args: () => string[] } {
  const [file, seen] = [join(dir, name), join(dir, `${name}.args`)];
  writeFileSync(file, `#!/bin/sh\nprintf '%s\\n' "$@" >${seen}\necho '${says}'\nexit ${status}\n`);
  chmodSync(file, 0o755);
  return { file, args: () => readFileSync(seen, "utf8").trimEnd().split("\n") };
}

describe("a test", () => {
  it("is passed by a device that computes and remembers", { timeout: 120_000 }, async () => {
    const verdict = await remedies({ device: { index: 0, allowCpu: true } }).validate(gpu(), signal);

    expect(verdict).toMatchObject({ result: "passed", message: expect.stringMatching(/compute .* memory/) as string });
  });

  it("says that nothing can test a device that OpenCL does not show", { timeout: 60_000 }, async () => {
    const absent = await remedies().validate(gpu(), signal);
    const withoutOpenCl = await remedies({ openCl: "/var/empty/libOpenCL.so.1" }).validate(gpu(), signal);
    const cut = gpu({
      partitions: [{ uuid: GpuUuid.parse("MIG-1"), kind: "mig", parent: GpuUuid.parse("GPU-1"), index: 0 }],
    });

    expect(absent).toMatchObject({ result: "untested", message: expect.stringContaining("no-device") as string });
    expect(withoutOpenCl).toMatchObject({ result: "untested" });
    expect(await remedies().validate(cut, signal)).toMatchObject({ result: "untested" });
  });
});

describe("a reset", () => {
  it.each<[string, Partial<AcceleratorReading>, string[]]>([
    ["nvidia-smi", {}, ["--gpu-reset", "-i", "GPU-1"]],
    ["amd-smi", { vendor: "amd", index: 3 }, ["reset", "--gpureset", "--gpu", "3"]],
    ["xpu-smi", { vendor: "intel" }, ["config", "--device", "0000:17:00.0", "--reset"]],
  ])("is asked of %s", async (name, reading, args) => {
    const fake = tool(name, "done", 0);

    await remedies({ tools: { [name]: fake.file } }).reset(gpu(reading), signal);

    expect(fake.args()).toEqual(args);
  });

  it("that the tool refuses is told with the tool's own words", async () => {
    const fake = tool("nvidia-smi", "GPU 00000000:17:00.0 is currently in use by one or more other processes.", 255);
    const refused = remedies({ tools: { "nvidia-smi": fake.file } }).reset(gpu(), signal);

    await expect(refused).rejects.toMatchObject({
      code: "gpu-not-reset",
      message: expect.stringContaining("in use by one or more other processes") as string,
    });
    const absent = remedies({ tools: { "nvidia-smi": "/var/empty/nvidia-smi" } }).reset(gpu(), signal);
    await expect(absent).rejects.toMatchObject({ code: "gpu-not-reset" });
  });
});
