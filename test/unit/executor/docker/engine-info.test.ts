/** What an engine says of itself, and what is made of an engine that leaves half of it out. */
import { describe, expect, it } from "vitest";

import { toEngineInfo } from "../../../../executor/docker/engine-info.ts";

describe("toEngineInfo", () => {
  it("keeps storage, runtimes and protections in the engine's own words", () => {
    const info = toEngineInfo({
      ServerVersion: "26.1.5",
      DockerRootDir: "/data/docker",
      Driver: "overlay2",
      DriverStatus: [
        ["Backing Filesystem", "xfs"],
        ["Supports d_type", "true"],
      ],
      Runtimes: { runc: { path: "runc" }, crun: { path: "/usr/bin/crun" } },
      DefaultRuntime: "runc",
      SecurityOptions: ["name=seccomp,profile=builtin", "name=userns"],
      MemoryLimit: true,
      PidsLimit: true,
      CDISpecDirs: ["/etc/cdi"],
      DiscoveredDevices: [
        { Source: "cdi", ID: "nvidia.com/gpu=GPU-1" },
        { Source: "other", ID: "x" },
      ],
    });

    expect(info).toEqual({
      version: "26.1.5",
      rootDir: "/data/docker",
      storage: { driver: "overlay2", backingFilesystem: "xfs", rootDir: "/data/docker" },
      runtimes: ["runc", "crun"],
      defaultRuntime: "runc",
      securityOptions: ["name=seccomp,profile=builtin", "name=userns"],
      cdi: { specDirs: ["/etc/cdi"], devices: ["nvidia.com/gpu=GPU-1"] },
      limits: { memory: true, cpu: false, pids: true },
    });
  });

  it("reads what is left out as empty, so that no protection is taken for granted", () => {
    const info = toEngineInfo({ DriverStatus: null, Runtimes: null, SecurityOptions: null });

    expect(info.cdi).toEqual({ specDirs: [] });
    expect(info).toMatchObject({ runtimes: [], securityOptions: [], storage: { driver: "", backingFilesystem: "" } });
  });
});
