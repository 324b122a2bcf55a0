/** Which engines may run pods, and who root of a pod is on the host. */
import { describe, expect, it } from "vitest";

import { toEngineInfo } from "../../../../executor/docker/engine-info.ts";
import { judgeEngine, judgeProcess, mappedRoot } from "../../../../executor/isolation/posture.ts";

const SOUND = {
  Runtimes: { runc: {}, crun: {} },
  DefaultRuntime: "runc",
  SecurityOptions: ["name=seccomp,profile=builtin"],
  MemoryLimit: true,
  CpuCfsQuota: true,
  PidsLimit: true,
};

const STATUS = `Name:	cat
CapInh:	0000000000000000
CapPrm:	00000000800404fb
CapEff:	00000000800404fb
CapBnd:	00000000800404fb
NoNewPrivs:	1
Seccomp:	2
Seccomp_filters:	1
`;

describe("judging an engine", () => {
  it.each([
    ["that protects", {}],
    ["of an older release", { SecurityOptions: ["name=seccomp,profile=default", "name=apparmor"] }],
    [
      "that maps users",
      { SecurityOptions: [...SOUND.SecurityOptions, "name=userns"], DockerRootDir: "/d/100000.100000" },
    ],
  ])("finds nothing against one %s", (_, over) => {
    expect(judgeEngine(toEngineInfo({ ...SOUND, ...over }), undefined)).toEqual([]);
  });

  it.each([
    ["has no seccomp", { SecurityOptions: [] }, "seccomp"],
    ["runs unconfined", { SecurityOptions: ["name=seccomp,profile=unconfined"] }, "seccomp"],
    ["is rootless", { SecurityOptions: [...SOUND.SecurityOptions, "name=rootless"] }, "network"],
    ["maps users we know not how", { SecurityOptions: [...SOUND.SecurityOptions, "name=userns"] }, "user-namespace"],
    ["cannot limit processes", { PidsLimit: false }, "limits"],
    ["cannot limit memory", { MemoryLimit: false }, "limits"],
    ["cannot limit CPU time", { CpuCfsQuota: false }, "limits"],
  ])("finds it fatal when the engine %s", (_, over, protection) => {
    expect(judgeEngine(toEngineInfo({ ...SOUND, ...over }), undefined)).toMatchObject([{ protection, fatal: true }]);
  });

  it("finds it fatal when the configured runtime is not the engine's", () => {
    const engine = toEngineInfo(SOUND);

    expect(judgeEngine(engine, "crun")).toEqual([]);
    expect(judgeEngine(engine, "runsc")).toMatchObject([
      { protection: "runtime", fatal: true, message: 'The engine has no runtime "runsc"; it has runc, crun.' },
    ]);
  });

  it("tells of a seccomp profile of the operator's own, and trusts it", () => {
    const engine = toEngineInfo({ ...SOUND, SecurityOptions: ["name=seccomp,profile=/etc/docker/ours.json"] });

    expect(judgeEngine(engine, undefined)).toMatchObject([{ protection: "seccomp", fatal: false }]);
  });
});

describe("judging a process in a container", () => {
  it("finds nothing where it has what is documented and no more", () => {
    expect(judgeProcess(STATUS, "runc")).toEqual([]);
  });

  it.each([
    ["more capabilities", STATUS.replaceAll("00000000800404fb", "00000000a80425fb"), ["capabilities", "capabilities"]],
    ["no seccomp filter", STATUS.replace("Seccomp:\t2", "Seccomp:\t0"), ["seccomp"]],
    ["a way to new privileges", STATUS.replace("NoNewPrivs:\t1", "NoNewPrivs:\t0"), ["no-new-privileges"]],
    ["nothing to say", "", ["capabilities", "capabilities", "seccomp", "no-new-privileges"]],
  ])("finds it fatal when it has %s", (_, status, protections) => {
    const findings = judgeProcess(status, "runc");

    expect(findings.map(({ protection }) => protection)).toEqual(protections);
    expect(findings.every(({ fatal }) => fatal)).toBe(true);
  });

  it("asserts only what a runtime with a kernel of its own can show", () => {
    const status = STATUS.replace("Seccomp:\t2", "Seccomp:\t0");

    expect(judgeProcess(status, "runsc")).toEqual([]);
    expect(judgeProcess(status, "kata-runtime")).toEqual([]);
    expect(judgeProcess(status, "nvidia")).toHaveLength(1);
  });
});

describe("root of a pod", () => {
  it("is read from the engine's root folder where it maps users, and is root elsewhere", () => {
    const remapped = toEngineInfo({ SecurityOptions: ["name=userns"], DockerRootDir: "/var/lib/docker/231072.231073" });

    expect(mappedRoot(remapped)).toEqual({ uid: 231072, gid: 231073 });
    expect(mappedRoot(toEngineInfo({ DockerRootDir: "/data/100.200" }))).toBeUndefined();
  });
});
