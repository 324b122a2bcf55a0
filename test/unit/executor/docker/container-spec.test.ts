/** What a pod's container is denied, and what differs between hosts. */
import { describe, expect, it } from "vitest";

import { containerSpec } from "../../../../executor/docker/container-spec.ts";
import { capabilityMask, POD_CAPABILITIES } from "../../../../executor/docker/hardening.ts";
import { podSpec, wantedPod } from "../../../support/builders.ts";

const INPUT = {
  record: { wanted: wantedPod({ spec: podSpec() }), acceptedAtMs: 0, ports: [], timeline: {} },
  image: { id: "sha256:1", user: "", entrypoint: [], command: ["sh"], stopSignal: undefined },
  dirs: { kitDir: "/kit", podDir: "/pod", secretDir: "/secret" },
  bindAddress: "0.0.0.0",
  host: "host",
};

describe("a pod's container", () => {
  it("has no privilege but the documented capabilities, and no way to get one", () => {
    const { HostConfig } = containerSpec(INPUT);

    expect(HostConfig).toMatchObject({
      Privileged: false,
      CapDrop: ["ALL"],
      CapAdd: Object.keys(POD_CAPABILITIES),
      SecurityOpt: ["no-new-privileges"],
      CgroupnsMode: "private",
      IpcMode: "private",
    });
    expect(HostConfig).not.toHaveProperty("Runtime");
  });

  it.each(["NET_RAW", "NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "MKNOD", "AUDIT_WRITE", "DAC_READ_SEARCH"])(
    "never has %s",
    (name) => {
      expect(POD_CAPABILITIES).not.toHaveProperty(name);
    },
  );

  it("has limits on memory with swap, processes, CPU, shared memory, core dumps and what it logs", () => {
    const { spec } = INPUT.record.wanted;
    const { HostConfig } = containerSpec({ ...INPUT, isolation: { dns: [], openFiles: 1000 } });

    expect(HostConfig).toMatchObject({
      Memory: spec.memoryBytes,
      MemorySwap: spec.memoryBytes,
      NanoCpus: spec.cpus * 1e9,
      PidsLimit: spec.pidsLimit,
      ShmSize: spec.shmBytes,
      Ulimits: [
        { Name: "core", Soft: 1, Hard: 1 },
        { Name: "nofile", Soft: 1000, Hard: 1000 },
      ],
      LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3", mode: "non-blocking" } },
    });
  });

  it("sees nothing of the host but its own files, and those read-only", () => {
    const { Mounts } = containerSpec(INPUT).HostConfig;

    expect(Mounts.map(({ Source }) => Source)).toEqual(expect.arrayContaining(["/kit", "/pod", "/secret"]));
    for (const mount of Mounts) {
      expect(mount).toMatchObject({ Type: "bind", ReadOnly: true });
      expect(mount.Source).toMatch(/^\/(kit|pod|secret)\b/);
    }
  });

  it("is in its own network, with the host's runtime and name servers", () => {
    const { HostConfig } = containerSpec({
      ...INPUT,
      network: { name: "lium-net-10-213-0-8" },
      isolation: { runtime: "crun", dns: ["9.9.9.9"] },
    });

    expect(HostConfig).toMatchObject({ NetworkMode: "lium-net-10-213-0-8", Runtime: "crun", Dns: ["9.9.9.9"] });
  });
});

describe("the documented capabilities", () => {
  it("are the mask that the kernel shows", () => {
    expect(capabilityMask()).toBe("00000000800404fb");
  });
});
