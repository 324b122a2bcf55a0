/** A self-check warns of what validators hold against a host, of that alone, and says what to do. */
import { describe, expect, it } from "vitest";

import { type Finding, type FindingCode, FINDINGS, type Level } from "../../../../agent/check/finding.ts";
import { judgeInventory } from "../../../../agent/check/judge-inventory.ts";
import { NVML_DIGESTS } from "../../../../agent/check/lium-rules.ts";
import type { InventoryGpu, InventoryResult } from "../../../../protocol/challenge/host-messages.ts";
import { GIB } from "../../../support/agent-builders.ts";
import { toldUuid } from "../../../support/gpus/told.ts";

const LISTED = "575.64.03";
const CPU_FACT = {
  name: "cpus",
  said: [
    { source: "systeminformation", value: "16" },
    { source: "the kernel", value: "16" },
  ],
  agree: true,
};

function gpuOf(n: number, over: Partial<InventoryGpu> = {}): InventoryGpu {
  return {
    uuid: toldUuid(n),
    vendor: "nvidia",
    model: "NVIDIA H100 80GB HBM3",
    memoryBytes: 80 * GIB,
    simulated: false,
    rented: false,
    utilisation: 0,
    ...over,
  };
}

function gpus(count: number, over: Partial<InventoryGpu> = {}): InventoryGpu[] {
  return Array.from({ length: count }, (_, n) => gpuOf(n, over));
}

function nvmlOf(version: string): NonNullable<InventoryResult["nvml"]> {
  const [md5, sha256] = NVML_DIGESTS.get(version) ?? ["0".repeat(32), "0".repeat(64)];
  return { version, md5, sha256 };
}

const WITHOUT_LIBRARY: InventoryResult = {
  kind: "inventory",
  gpus: gpus(8),
  facts: [CPU_FACT],
  cpus: 16,
  memoryBytes: 64 * GIB,
  diskBytes: 500e9,
  freeDiskBytes: 100e9,
  kernel: "6.1",
  os: "Debian 12",
  engineVersion: "26.1.5",
  runtimes: ["runc", "sysbox-runc"],
  hasTun: true,
  ports: [
    { first: 40_000, count: 9 },
    { first: 50_000, count: 1 },
  ],
};
const SOUND: InventoryResult = { ...WITHOUT_LIBRARY, nvml: nvmlOf(LISTED) };

function host(over: Partial<InventoryResult> = {}): InventoryResult {
  return { ...SOUND, ...over };
}

type Complaint = readonly [Level, FindingCode | undefined];

function complaints(findings: readonly Finding[]): Complaint[] {
  return findings.filter(({ level }) => level !== "ok").map(({ level, code }) => [level, code]);
}

/** What is said of a host beside that its driver is old, which is so of every driver whose digest is listed. */
function held(over: Partial<InventoryResult>): Complaint[] {
  return complaints(judgeInventory(host(over))).filter(([, code]) => code !== "driver-old");
}

const disagreeing = { ...CPU_FACT, agree: false };
const single = {
  name: "gpu GPU-1 memory",
  said: [{ source: "nvidia driver", value: "1" }],
  agree: false,
  why: "no ICD",
};

const HOST_CAUSES: readonly { cause: string; told: InventoryResult; says: Complaint }[] = [
  { cause: "no GPU", told: host({ gpus: [] }), says: ["failure", "gpu-none"] },
  { cause: "15 GPUs", told: host({ gpus: gpus(15) }), says: ["failure", "gpu-too-many"] },
  { cause: "made-up GPUs", told: host({ gpus: gpus(8, { simulated: true }) }), says: ["warning", "gpu-simulated"] },
  {
    cause: "a model that is not in the table",
    told: host({ gpus: gpus(8, { model: "NVIDIA T4" }) }),
    says: ["failure", "gpu-model-unknown"],
  },
  {
    cause: "two models",
    told: host({ gpus: [gpuOf(1), gpuOf(2, { model: "NVIDIA H100 PCIe" })] }),
    says: ["warning", "gpu-models-differ"],
  },
  {
    cause: "a GPU with half its memory",
    told: host({ gpus: [gpuOf(1), gpuOf(2, { memoryBytes: 40 * GIB })] }),
    says: ["warning", "gpu-memory-odd"],
  },
  { cause: "use by nobody", told: host({ gpus: gpus(1, { utilisation: 5 }) }), says: ["failure", "gpu-busy"] },
  {
    cause: "a driver that nobody listed",
    told: host({ nvml: nvmlOf("610.1") }),
    says: ["warning", "driver-unlisted"],
  },
  {
    cause: "a library with another MD5",
    told: host({ nvml: { ...nvmlOf(LISTED), md5: "0".repeat(32) } }),
    says: ["failure", "driver-altered"],
  },
  {
    cause: "a library with another SHA-256",
    told: host({ nvml: { ...nvmlOf(LISTED), sha256: "0".repeat(64) } }),
    says: ["failure", "driver-altered"],
  },
  { cause: "no library of the driver", told: WITHOUT_LIBRARY, says: ["failure", "driver-unreadable"] },
  { cause: "no /dev/net/tun", told: host({ hasTun: false }), says: ["failure", "tun-missing"] },
  { cause: "no sysbox", told: host({ runtimes: ["runc"] }), says: ["warning", "sysbox-missing"] },
  { cause: "a disk nearly full", told: host({ freeDiskBytes: 100e9 - 1 }), says: ["warning", "disk-small"] },
  { cause: "two ports", told: host({ ports: [{ first: 1, count: 2 }] }), says: ["failure", "ports-too-few"] },
  { cause: "nine ports", told: host({ ports: [{ first: 1, count: 9 }] }), says: ["warning", "ports-few"] },
  { cause: "sources that differ", told: host({ facts: [disagreeing] }), says: ["failure", "facts-disagree"] },
  { cause: "a fact of one source", told: host({ facts: [CPU_FACT, single] }), says: ["note", "not-tried"] },
];

describe("a sound host", () => {
  it("of eight GPUs fails nowhere, and is warned of its driver alone: every listed one is older than is wanted", () => {
    const findings = judgeInventory(SOUND);

    expect(complaints(findings)).toEqual([["warning", "driver-old"]]);
    expect(new Set(findings.map(({ check }) => check))).toEqual(
      new Set(["gpus", "model", "use", "driver", "tun", "sysbox", "disk", "facts"]),
    );
  });

  it("with GPUs of another vendor has nothing held against it, driver or no driver", () => {
    const amd = gpus(8, { vendor: "amd" });

    expect(complaints(judgeInventory({ ...WITHOUT_LIBRARY, gpus: amd }))).toEqual([]);
    expect(complaints(judgeInventory(host({ gpus: amd })))).toEqual([]);
  });
});

describe("a host with one thing wrong", () => {
  it.each(HOST_CAUSES)("is told of $cause: $says, and of nothing else", ({ told, says }) => {
    const found = complaints(judgeInventory(told)).filter(([, code]) => code !== "driver-old");

    expect(found).toEqual([says]);
  });

  it("is told which GPU, which source and which driver it is", () => {
    const messages = judgeInventory(
      host({ gpus: [gpuOf(7, { utilisation: 93 })], facts: [disagreeing], nvml: nvmlOf("610.1") }),
    ).map(({ message }) => message);

    expect(messages).toContain(`${toldUuid(7)} is 93 % busy, and nobody rents it.`);
    expect(messages).toContain("cpus: systeminformation says 16, the kernel says 16.");
    expect(messages).toContain("Driver 610.1 is not in the table that is known.");
  });
});

describe("at the limits, a host", () => {
  it("may have 14 GPUs", () => {
    expect(held({ gpus: gpus(14) })).toEqual([]);
    expect(held({ gpus: gpus(15) })).toEqual([["failure", "gpu-too-many"]]);
  });

  it("may use 4 % of a GPU, and any of one that is rented; an unknown use is not held against it", () => {
    const { utilisation: _, ...unread } = gpuOf(1);

    expect(held({ gpus: gpus(1, { utilisation: 4 }) })).toEqual([]);
    expect(held({ gpus: gpus(1, { utilisation: 5 }) })).toEqual([["failure", "gpu-busy"]]);
    expect(held({ gpus: gpus(1, { utilisation: 100, rented: true }) })).toEqual([]);
    expect(held({ gpus: [unread] })).toEqual([]);
  });

  it.each([
    [0, [["failure", "ports-too-few"]]],
    [2, [["failure", "ports-too-few"]]],
    [3, [["warning", "ports-few"]]],
    [9, [["warning", "ports-few"]]],
    [10, []],
  ])("with %i ports is told %j", (count, says) => {
    const ports = Array.from({ length: count }, (_port, place) => ({ first: 40_000 + 2 * place, count: 1 }));

    expect(held({ ports })).toEqual(says);
  });

  it("may have an eighth less or more memory than the model, and no more", () => {
    const ofEach = (gib: number): Complaint[] => held({ gpus: gpus(1, { memoryBytes: gib * GIB }) });

    expect([70.5, 89.5].map(ofEach)).toEqual([[], []]);
    expect([70.3, 89.7].map(ofEach)).toEqual(Array.from({ length: 2 }, () => [["warning", "gpu-memory-odd"]]));
  });

  it.each(["535.183.01", "575.64.03", "580", "580.65", "580.65.05", "580.9.99", "99.99.99"])(
    "has an old driver with %s",
    (version) => {
      expect(complaints(judgeInventory(host({ nvml: nvmlOf(version) })))).toContainEqual(["warning", "driver-old"]);
    },
  );

  it.each(["580.65.06", "580.65.06.1", "580.100.01", "581", "610.1"])("has no old driver with %s", (version) => {
    const found = complaints(judgeInventory(host({ nvml: nvmlOf(version) })));

    expect(found).toEqual([["warning", "driver-unlisted"]]);
  });
});

describe("simulated GPUs", () => {
  const simulated = gpus(2, { simulated: true, utilisation: 90 });
  const fact = { name: "gpu", said: [{ source: "simulation", value: "x" }], agree: false };

  it("are not asked for a driver, nor whether they are busy, nor for a second source", () => {
    expect(complaints(judgeInventory({ ...WITHOUT_LIBRARY, gpus: simulated, facts: [fact] }))).toEqual([
      ["warning", "gpu-simulated"],
    ]);
  });

  it("beside a real one leave that one to be asked", () => {
    expect(complaints(judgeInventory({ ...WITHOUT_LIBRARY, gpus: [...simulated, gpuOf(9)] }))).toEqual([
      ["warning", "gpu-simulated"],
      ["failure", "driver-unreadable"],
    ]);
  });
});

describe("the findings", () => {
  const all = HOST_CAUSES.flatMap(({ told }) => judgeInventory(told));

  it("are of every code but those of an agent and of a live examination", () => {
    const ofAgents = ["agent-not-registered", "agent-not-announced", "no-validators", "host-offline"];
    const elsewhere = [...ofAgents, "agent-cannot-sign", "chain-off", "host-closed", "proof-failed"];
    const told = new Set(all.flatMap(({ code }) => code ?? []));

    expect([...told].toSorted()).toEqual(
      Object.keys(FINDINGS)
        .filter((code) => !elsewhere.includes(code))
        .toSorted(),
    );
  });

  it("have an impact and a remedy with each code, and neither where all is well", () => {
    const explained = all.filter(({ impact, remedy }) => (impact ?? "").length > 10 && (remedy ?? "").length > 10);
    const bare = all.filter(({ impact, remedy }) => impact === undefined && remedy === undefined);

    expect(explained).toEqual(all.filter(({ code }) => code !== undefined));
    expect(bare).toEqual(all.filter(({ level }) => level === "ok"));
    expect(explained.length + bare.length).toBe(all.length);
  });
});
