/** Which accelerators a container of somebody else holds, by all the ways in which it may have got them. */
import { describe, expect, it } from "vitest";

import { toDevices } from "../../../../../executor/docker/container-devices.ts";
import { cdiDevicesOf } from "../../../../../executor/gpus/passthrough/cdi.ts";
import { heldBy } from "../../../../../executor/gpus/passthrough/holders.ts";
import { amdGpu, byId, gpuUuid, nvidiaGpu, nvidiaSpec } from "../../../../support/gpus/giving.ts";

const MIG = gpuUuid("MIG-1");
const part = { uuid: MIG, kind: "mig" as const, parent: gpuUuid("GPU-2"), index: 0, profile: "1g.10gb" };
const facts = { computeSlices: 1, memorySlices: 1, gpuInstance: 1, computeInstance: 0, memory: {}, nodes: [] };
const gpus = [
  nvidiaGpu(0),
  nvidiaGpu(1),
  nvidiaGpu(2, { partitioned: true, partitions: [{ ...part, ...facts }] }),
  amdGpu(0),
  amdGpu(1),
  nvidiaGpu(9, { simulated: true }),
];
const NVIDIA = ["GPU-0", "GPU-1", "GPU-2", "MIG-1"];
const NETWORK =
  '{"kind":"vendor.com/net","devices":[{"name":"eth","containerEdits":{"deviceNodes":[{"path":"/dev/uverbs0"}]}}]}';
const INDEXED = nvidiaSpec(3).replaceAll(/"GPU-(\d)"/g, '"$1"');
const cdiDevices = byId([...cdiDevicesOf(NETWORK), ...cdiDevicesOf(INDEXED)]);

function held(hostConfig: object, env: readonly string[] = []): string[] {
  const devices = toDevices({ HostConfig: hostConfig, Config: { Env: env } });
  return heldBy(devices, { snapshot: { gpus }, cdiDevices }).toSorted();
}

function request(over: object): object {
  return { DeviceRequests: [over] };
}

function cdi(...names: readonly string[]): object {
  return request({ Driver: "cdi", DeviceIDs: names.map((name) => `nvidia.com/gpu=${name}`) });
}

describe("a container of somebody else", () => {
  it.each<[string, object, readonly string[]]>([
    ["nothing", {}, []],
    ["a CDI device by UUID", cdi("GPU-1"), ["GPU-1"]],
    ["a CDI device by index", cdi("1"), ["GPU-1"]],
    ["all CDI devices", cdi("all"), NVIDIA],
    ["a CDI device that nobody knows", cdi("GPU-gone"), NVIDIA],
    ["a part, which keeps its device from being whole", cdi("MIG-1"), ["GPU-2", "MIG-1"]],
    ["a device that is cut, with its parts", cdi("GPU-2"), ["GPU-2", "MIG-1"]],
    ["a CDI device of another sort", request({ Driver: "cdi", DeviceIDs: ["vendor.com/net=eth"] }), []],
    ["`--gpus all`", request({ Driver: "", Count: -1, Capabilities: [["gpu"]] }), NVIDIA],
    ["`--gpus 2`", request({ Driver: "", Count: 2, Capabilities: [["gpu"]] }), ["GPU-0", "GPU-1"]],
    ["`--gpus device=GPU-0`", request({ Driver: "nvidia", DeviceIDs: ["GPU-0"], Capabilities: [["gpu"]] }), ["GPU-0"]],
    ["a request for something else", request({ Driver: "", Count: -1, Capabilities: [["tpu"]] }), []],
    ["a device file", { Devices: [{ PathOnHost: "/dev/nvidia1" }] }, ["GPU-1"]],
    ["what all share", { Devices: [{ PathOnHost: "/dev/kfd" }, { PathOnHost: "/dev/nvidiactl" }] }, []],
    ["a render node", { Devices: [{ PathOnHost: "/dev/dri/renderD129" }] }, ["GPU-amd1"]],
    ["a folder of files", { Devices: [{ PathOnHost: "/dev/dri" }] }, ["GPU-amd0", "GPU-amd1"]],
    ["requests that cannot be read", { DeviceRequests: "?" }, [...NVIDIA, "GPU-amd0", "GPU-amd1"]],
  ])("with %s holds just that", (_what, hostConfig, uuids) => {
    expect(held(hostConfig)).toEqual(uuids.toSorted());
  });

  it("holds what a vendor's runtime gives it for a variable, and nothing for one that nobody reads", () => {
    const env = ["NVIDIA_VISIBLE_DEVICES=0,GPU-1"];

    expect(held({ Runtime: "nvidia" }, env)).toEqual(["GPU-0", "GPU-1"]);
    expect(held({ Runtime: "nvidia" }, ["NVIDIA_VISIBLE_DEVICES=void"])).toEqual([]);
    expect(held({ Runtime: "nvidia" }, ["NVIDIA_VISIBLE_DEVICES=all"])).toEqual(NVIDIA);
    expect(held({ Runtime: "runc" }, env)).toEqual([]);
  });

  it("never holds a made-up device", () => {
    expect(held(cdi("all"))).not.toContain("GPU-9");
  });
});
