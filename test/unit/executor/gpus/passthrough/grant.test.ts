/** What a container gets for its GPUs, by vendor and set-up, and what is refused instead of half given. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { cdiDevicesOf } from "../../../../../executor/gpus/passthrough/cdi.ts";
import { type Grant, grantOf } from "../../../../../executor/gpus/passthrough/grant.ts";
import type { HostSetup } from "../../../../../executor/gpus/passthrough/setup.ts";
import type { Accelerator } from "../../../../../protocol/accelerator.ts";
import {
  amdGpu,
  byId,
  cdiSetup,
  gaudi,
  gpuUuid,
  hostSetup,
  intelGpu,
  nvidiaGpu,
  nvidiaSpec,
} from "../../../../support/gpus/giving.ts";

const HOOK = { cdi: false, nvidiaHook: true, toolkit: "1.17.8" };

function given(gpus: readonly Accelerator[], setup: HostSetup, all = gpus): Grant {
  const grant = grantOf(
    gpus.map(({ uuid }) => uuid),
    { gpus: [...all] },
    setup,
  );
  if (grant === undefined || "lack" in grant) throw new Error(JSON.stringify(grant));
  return grant;
}

function lackOf(gpu: Accelerator, setup: HostSetup): string {
  const grant = grantOf([gpu.uuid], { gpus: [gpu] }, setup);
  return grant !== undefined && "lack" in grant ? grant.lack : "given";
}

describe("NVIDIA's devices", () => {
  const [first, second] = [nvidiaGpu(0), nvidiaGpu(1)];

  it("are asked for by CDI and UUID in one request", () => {
    expect(given([first, second], cdiSetup(2))).toEqual({
      requests: [{ Driver: "cdi", DeviceIDs: ["nvidia.com/gpu=GPU-0", "nvidia.com/gpu=GPU-1"] }],
      files: [],
      groups: [],
      selectors: {},
      nodes: ["/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia1"],
    });
  });

  it("are asked for by the toolkit's hook and UUID where CDI is off, with the same choice for whoever reads the environment", () => {
    expect(given([first, second], hostSetup([], HOOK))).toEqual({
      requests: [
        { Driver: "nvidia", DeviceIDs: ["GPU-0", "GPU-1"], Capabilities: [["gpu", "compute", "utility", "video"]] },
      ],
      files: [],
      groups: [],
      selectors: { NVIDIA_VISIBLE_DEVICES: "GPU-0,GPU-1" },
      nodes: ["/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia1"],
    });
  });

  it("are given by the hook to sysbox, which cannot do with CDI, unless the engine would use it all the same", () => {
    const sysbox = cdiSetup(1, { ...HOOK, cdi: true, podRuntime: "sysbox-runc" });

    expect(given([first], sysbox).requests).toMatchObject([{ Driver: "nvidia" }]);
    expect(lackOf(first, { ...sysbox, engineVersion: "29.2.0" })).toMatch(/features\.cdi.*false/);
  });

  it("are given as parts by CDI alone", () => {
    const uuid = gpuUuid("MIG-1");
    const part = { uuid, kind: "mig" as const, parent: first.uuid, index: 0, profile: "1g.10gb", nodes: [] };
    const known = { computeSlices: 1, memorySlices: 1, gpuInstance: 1, computeInstance: 0, memory: {} };
    const cut = nvidiaGpu(0, { partitioned: true, partitions: [{ ...part, ...known }] });
    const spec = nvidiaSpec(1).replaceAll("GPU-0", "MIG-1");
    const grant = (setup: HostSetup) => grantOf([uuid], { gpus: [cut] }, setup);

    expect(grant(cdiSetup(1, { cdiDevices: byId(cdiDevicesOf(spec)) }))).toMatchObject({
      requests: [{ DeviceIDs: ["nvidia.com/gpu=MIG-1"] }],
    });
    expect(grant(hostSetup([], { ...HOOK, podRuntime: "sysbox-runc" }))).toMatchObject({
      lack: expect.stringMatching(/CDI alone/),
    });
  });

  it.each<[string, RegExp, Partial<HostSetup>]>([
    ["CDI is off and there is no hook", /features\.cdi/, { cdi: false }],
    ["no specification names it", /nvidia-ctk cdi generate/, { cdiDevices: new Map() }],
    ["a specification cannot be read", /x\.yaml: bad/, { cdiDevices: new Map(), unreadableSpecs: ["x.yaml: bad"] }],
    ["the engine has not found it", /does not know/, { discovered: ["nvidia.com/gpu=GPU-9"] }],
    ["its file is gone", /\/dev\/nvidia0, which is not there/, { nodes: new Map() }],
    ["the specification is of another driver", /driver 550\.1\.2/, spec({ driver: "550.1.2" })],
    ["the toolkit's hooks are too old", /CVE-2025-23266/, { ...spec({ hooks: true }), toolkit: "1.17.7" }],
    ["the toolkit's version is not known", /cannot be read/, spec({ hooks: true })],
    ["images choose devices in the runtime", /isolation\.runtime/, { podRuntime: "nvidia" }],
    ["pods are virtual machines", /virtual machines/, { podRuntime: "kata-runtime" }],
  ])("are refused with a remedy where %s", (_why, words, over) => {
    const gpu = nvidiaGpu(0, { driver: { version: "580.105.08" } });

    expect(lackOf(gpu, cdiSetup(1, over))).toMatch(words);
  });

  function spec(options: { hooks?: boolean; driver?: string }): Partial<HostSetup> {
    return { cdiDevices: byId(cdiDevicesOf(nvidiaSpec(1, options))) };
  }

  it("are given with the hooks of a toolkit that is new enough", () => {
    const setup = cdiSetup(1, { cdiDevices: byId(cdiDevicesOf(nvidiaSpec(1, { hooks: true }))), toolkit: "1.18.0" });

    expect(lackOf(first, setup)).toBe("given");
  });
});

describe("AMD's devices", () => {
  it("are kfd and the files of their own, with groups as numbers", () => {
    const setup = hostSetup(["kfd", "dri/card0", "dri/renderD128", "dri/card1", "dri/renderD129"]);

    const { files, groups, requests, nodes } = given([amdGpu(1)], setup, [amdGpu(0), amdGpu(1)]);

    expect(files).toEqual(
      ["kfd", "dri/card1", "dri/renderD129"].map((node) => ({
        PathOnHost: `/dev/${node}`,
        PathInContainer: `/dev/${node}`,
        CgroupPermissions: "rwm",
      })),
    );
    expect({ groups, requests }).toEqual({ groups: ["44"], requests: [] });
    expect(nodes).toEqual(["/dev/kfd", "/dev/dri/card1", "/dev/dri/renderD129"]);
  });

  it("name every group once, and never root's", () => {
    const nodes = new Map([
      ["/dev/kfd", { gid: 0, forAll: false }],
      ["/dev/dri/card0", { gid: 44, forAll: false }],
      ["/dev/dri/renderD128", { gid: 109, forAll: false }],
    ]);

    expect(given([amdGpu(0)], hostSetup([], { nodes })).groups).toEqual(["44", "109"]);
  });

  it("are given as parts by their render node alone", () => {
    const uuid = gpuUuid("GPU-amd0-xcp1");
    const part = { uuid, kind: "xcp" as const, parent: gpuUuid("GPU-amd0"), index: 1, nodes: ["dri/renderD130"] };
    const none = { unavailable: "not-read" as const };
    const facts = { profile: "CPX", computeSlices: 1, memorySlices: none, gpuInstance: none, computeInstance: none };
    const cut = amdGpu(0, { partitioned: true, partitions: [{ ...part, ...facts, memory: {} }] });

    expect(grantOf([uuid], { gpus: [cut] }, hostSetup(["kfd", "dri/renderD130"]))).toMatchObject({
      nodes: ["/dev/kfd", "/dev/dri/renderD130"],
    });
  });

  it.each<[string, RegExp, HostSetup]>([
    ["kfd is missing", /\/dev\/kfd is not there/, hostSetup(["dri/card0", "dri/renderD128"])],
    [
      "users of pods are nobody on the host",
      /kfd is for one group alone.*udev/,
      hostSetup(["dri/card0", "dri/renderD128"], {
        usersMapped: true,
        nodes: new Map(
          ["kfd", "dri/card0", "dri/renderD128"].map((node) => [`/dev/${node}`, { gid: 44, forAll: false }]),
        ),
      }),
    ],
    ["files of the host cannot be used", /sysbox/, hostSetup(["kfd"], { podRuntime: "sysbox-runc" })],
  ])("are refused with a remedy where %s", (_why, words, setup) => {
    expect(lackOf(amdGpu(0), setup)).toMatch(words);
  });
});

describe("Intel's devices", () => {
  it("are their display and render nodes", () => {
    expect(given([intelGpu(1)], hostSetup(["dri/card1", "dri/renderD129"])).nodes).toEqual([
      "/dev/dri/card1",
      "/dev/dri/renderD129",
    ]);
  });

  it("of the Gaudi sort are given by Intel's runtime where runc would be used, else as their files", () => {
    const setup = hostSetup(["accel/accel3", "accel/accel_controlD3"]);
    const nodes = ["/dev/accel/accel3", "/dev/accel/accel_controlD3"];

    expect(given([gaudi(3)], { ...setup, runtimes: ["runc", "habana"] })).toMatchObject({
      files: [],
      runtime: "habana",
      selectors: { HABANA_VISIBLE_DEVICES: "3" },
      nodes,
    });
    expect(given([gaudi(3)], { ...setup, runtimes: ["crun", "habana"], podRuntime: "crun" })).toMatchObject({
      files: nodes.map((PathOnHost) => ({ PathOnHost })),
      nodes,
    });
  });
});

describe("grantOf", () => {
  const gpus = [
    ...Array.from({ length: 4 }, (_, n) => nvidiaGpu(n)),
    ...Array.from({ length: 4 }, (_, n) => amdGpu(n)),
  ];
  const amdNodes = gpus.flatMap(({ vendor, nodes }) => (vendor === "amd" ? nodes : []));
  const both = cdiSetup(4);
  const nodes = new Map([...both.nodes, ...hostSetup(["kfd", ...amdNodes]).nodes]);

  it("gives a pod its own files and nobody else's, whatever it has", () => {
    fc.assert(
      fc.property(fc.subarray(gpus, { minLength: 1 }), (own) => {
        const grant = given(own, { ...both, nodes }, gpus);

        const others = gpus.filter((gpu) => !own.includes(gpu)).flatMap((gpu) => gpu.nodes);
        expect(grant.nodes).toEqual(
          expect.arrayContaining(own.flatMap((gpu) => gpu.nodes.map((node) => `/dev/${node}`))),
        );
        expect(grant.nodes.filter((node) => others.includes(node.slice("/dev/".length)))).toEqual([]);
        expect(grant.nodes).toEqual([...new Set(grant.nodes)]);
      }),
    );
  });

  it("has nothing to give for made-up GPUs, and refuses one that is not there", () => {
    const simulated = nvidiaGpu(9, { simulated: true });

    expect(grantOf([simulated.uuid], { gpus: [simulated] }, hostSetup([]))).toBeUndefined();
    expect(grantOf([gpuUuid("GPU-8")], { gpus: [] }, both)).toMatchObject({
      lack: expect.stringMatching(/not on this/),
    });
  });
});
