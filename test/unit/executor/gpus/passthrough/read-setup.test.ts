/** What is found out about a host, below a root of the test's own. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { toEngineInfo } from "../../../../../executor/docker/engine-info.ts";
import { readSetup } from "../../../../../executor/gpus/passthrough/read-setup.ts";
import type { HostSetup } from "../../../../../executor/gpus/passthrough/setup.ts";
import type { Accelerator } from "../../../../../protocol/accelerator.ts";
import { amdGpu, nvidiaGpu, nvidiaSpec } from "../../../../support/gpus/giving.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lium-setup-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function read(gpus: Accelerator[], info: object = {}): Promise<HostSetup> {
  const engine = { CDISpecDirs: ["/etc/cdi", "/var/run/cdi"], DefaultRuntime: "runc", Runtimes: { runc: {} }, ...info };
  return readSetup(
    { gpus },
    { root, podRuntime: undefined },
    { engine: async () => toEngineInfo(engine), toolkitVersion: async () => "1.18.0" },
    new AbortController().signal,
  );
}

function jsonSpec(name: string, path: string): string {
  const containerEdits = { deviceNodes: [{ path }] };
  return JSON.stringify({ cdiVersion: "0.5.0", kind: "nvidia.com/gpu", devices: [{ name, containerEdits }] });
}

describe("readSetup", () => {
  it("reads the specifications of the engine's folders, and nothing else that lies there", async () => {
    write("etc/cdi/nvidia.yaml", nvidiaSpec(2));
    write("etc/cdi/notes.txt", "kind: other.com/x");

    const { cdiDevices, unreadableSpecs, cdi } = await read([]);

    expect([...cdiDevices.keys()]).toEqual(["nvidia.com/gpu=GPU-0", "nvidia.com/gpu=GPU-1"]);
    expect({ unreadableSpecs, cdi }).toEqual({ unreadableSpecs: [], cdi: true });
  });

  it("takes a later folder's device for an earlier one's, and none of two in one folder, as the engine does", async () => {
    write("etc/cdi/old.json", jsonSpec("GPU-0", "/dev/old"));
    write("var/run/cdi/new.json", jsonSpec("GPU-0", "/dev/new"));
    write("var/run/cdi/a.json", jsonSpec("GPU-1", "/dev/a"));
    write("var/run/cdi/b.json", jsonSpec("GPU-1", "/dev/b"));

    const { cdiDevices } = await read([]);

    expect([...cdiDevices.values()].map(({ nodes }) => nodes[0]?.path)).toEqual(["/dev/new"]);
  });

  it("says which specification it cannot read, and reads the others", async () => {
    write("etc/cdi/broken.yaml", "kind: &a b");
    write("etc/cdi/whole.json", jsonSpec("GPU-0", "/dev/nvidia0"));

    const { cdiDevices, unreadableSpecs } = await read([]);

    expect([...cdiDevices.keys()]).toEqual(["nvidia.com/gpu=GPU-0"]);
    expect(unreadableSpecs).toEqual([expect.stringMatching(/broken\.yaml: It is not the YAML/)]);
  });

  it("knows no device file that is none: a plain file of that name does not count", async () => {
    write("dev/dri/card0", "");

    expect((await read([amdGpu(0)])).nodes.size).toBe(0);
  });

  it("asks for NVIDIA's toolkit only where a device of theirs is real, and finds its hook", async () => {
    write("usr/bin/nvidia-container-runtime-hook", "");

    expect(await read([nvidiaGpu(0)])).toMatchObject({ toolkit: "1.18.0", nvidiaHook: true });
    expect(await read([nvidiaGpu(0, { simulated: true })])).toMatchObject({ toolkit: undefined });
  });

  it("takes CDI for off where the engine names no folders, and says when users of pods are mapped", async () => {
    const off = await read([], { CDISpecDirs: [], SecurityOptions: ["name=seccomp,profile=builtin", "name=userns"] });

    expect(off).toMatchObject({ cdi: false, usersMapped: true, podRuntime: "runc" });
  });
});
