/** No GPU and no port is ever given to two pods, and free capacity stays between zero and the total. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { refusalOf } from "../../../../executor/pods/admission.ts";
import { claimsOf, portKey } from "../../../../executor/pods/claims.ts";
import { choosePorts, publicPort } from "../../../../executor/pods/ports.ts";
import type { PodRecord } from "../../../../executor/pods/state.ts";
import type { Gpu } from "../../../../protocol/gpu.ts";
import { GpuUuid } from "../../../../protocol/ids.ts";
import { podId, podRecord, podSpec, T0, wantedPod } from "../../../support/builders.ts";

const GIB = 2 ** 30;
const RENTABLE = { cpus: 8, memoryBytes: 16 * GIB, diskBytes: 100 * GIB };
const GPUS: Gpu[] = Array.from({ length: 4 }, (_, index) => ({
  uuid: GpuUuid.parse(`GPU-${index}aaa`),
  vendor: "nvidia",
  model: "H100",
  memoryBytes: 80 * GIB,
  simulated: true,
}));
const RANGES = [{ internal: 40_000, external: 50_000, count: 8 }];

interface Request {
  readonly gpus: readonly number[];
  readonly cpus: number;
  readonly memoryGib: number;
  readonly ports: number;
}

/** Admits as the executor does: check, then ports, then the record. */
function admit(records: Map<string, PodRecord>, n: number, request: Request): void {
  const spec = podSpec({
    gpus: { count: request.gpus.length },
    cpus: request.cpus,
    memoryBytes: request.memoryGib * GIB,
    diskBytes: GIB,
    ports: Array.from({ length: request.ports }, (_, index) => ({ containerPort: 8_000 + index })),
  });
  const uuids = request.gpus.map((index) => GpuUuid.parse(`GPU-${index}aaa`));
  const wanted = wantedPod({ podId: podId(n), gpus: uuids, spec });
  const claims = claimsOf(records.values());
  if (
    refusalOf({
      wanted,
      claims,
      gpus: GPUS,
      rentable: RENTABLE,
      sealingKey: "k",
      volumeBytes: 0,
      pressure: undefined,
      inTheWay: [],
      blocked: new Map(),
    }) !== undefined
  )
    return;
  const ports = choosePorts({
    holder: wanted.podId,
    requests: spec.ports,
    ranges: RANGES,
    isTaken: (key) => claims.ports.has(key),
  });
  if (ports !== undefined) records.set(wanted.podId, podRecord({ wanted, ports }));
}

function expectSound(records: Iterable<PodRecord>): void {
  const alive = [...records].filter((record) => record.overAt === undefined);
  const gpus = alive.flatMap((record) => record.wanted.gpus);
  const ports = alive.flatMap((record) => record.ports.map((port) => portKey(port.hostPort, port.protocol)));
  expect(new Set(gpus).size, "a GPU was given twice").toBe(gpus.length);
  expect(new Set(ports).size, "a port was given twice").toBe(ports.length);
  const { used } = claimsOf(alive);
  for (const kind of ["cpus", "memoryBytes", "diskBytes"] as const) {
    expect(used[kind]).toBeGreaterThanOrEqual(0);
    expect(used[kind]).toBeLessThanOrEqual(RENTABLE[kind]);
  }
}

const command = fc.oneof(
  fc.record({
    do: fc.constant("create" as const),
    n: fc.integer({ min: 1, max: 12 }),
    gpus: fc.uniqueArray(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
    cpus: fc.integer({ min: 1, max: 4 }),
    memoryGib: fc.integer({ min: 1, max: 8 }),
    ports: fc.integer({ min: 0, max: 4 }),
  }),
  fc.record({ do: fc.constant("end" as const), n: fc.integer({ min: 1, max: 12 }) }),
  fc.record({ do: fc.constant("crash" as const) }),
);

describe("claims", () => {
  it("hold in 10,000 random sequences of creating, ending and crashing", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 24 }), (commands) => {
        let records = new Map<string, PodRecord>();
        for (const step of commands) {
          if (step.do === "create" && !records.has(podId(step.n))) admit(records, step.n, step);
          const old = step.do === "end" ? records.get(podId(step.n)) : undefined;
          if (old !== undefined) records.set(old.wanted.podId, { ...old, overAt: new Date(T0).toISOString() });
          if (step.do === "crash") records = new Map(JSON.parse(JSON.stringify([...records])));
        }
        expectSound(records.values());
      }),
      { numRuns: 10_000 },
    );
  });

  it("end with the pod", () => {
    const uuid = GpuUuid.parse("GPU-0aaa");
    const record = podRecord({ wanted: wantedPod({ gpus: [uuid], spec: podSpec({ gpus: { count: 1 } }) }) });

    expect(claimsOf([record]).gpus.get(uuid)).toBe(record.wanted.podId);
    expect(claimsOf([{ ...record, overAt: new Date(T0).toISOString() }]).gpus.size).toBe(0);
  });
});

describe("refusalOf", () => {
  const base = {
    claims: claimsOf([]),
    gpus: GPUS,
    rentable: RENTABLE,
    sealingKey: "a2V5",
    volumeBytes: 0,
    pressure: undefined,
    inTheWay: [],
    blocked: new Map(),
  };

  it.each([
    [
      "a GPU that is not on this host",
      { gpus: [GpuUuid.parse("GPU-nope")], spec: podSpec({ gpus: { count: 1 } }) },
      "gpu-unknown",
    ],
    ["fewer GPUs than asked for", { gpus: [], spec: podSpec({ gpus: { count: 1 } }) }, "gpu-unknown"],
    ["more memory than the host has", { spec: podSpec({ memoryBytes: 17 * GIB }) }, "host-full"],
    ["more CPUs than the host has", { spec: podSpec({ cpus: 9 }) }, "host-full"],
  ])("refuses %s", (_what, over, code) => {
    expect(refusalOf({ ...base, wanted: wantedPod(over) })?.code).toBe(code);
  });

  it("has room for 0.2 CPUs where 0.1 of 0.3 are used", () => {
    const used = podRecord({ wanted: wantedPod({ podId: podId(9), spec: podSpec({ cpus: 0.1 }) }) });
    const rentable = { ...RENTABLE, cpus: 0.3 };

    const reason = refusalOf({
      ...base,
      rentable,
      claims: claimsOf([used]),
      wanted: wantedPod({ spec: podSpec({ cpus: 0.2 }) }),
    });

    expect(reason).toBeUndefined();
  });

  it("names the holder of a GPU that is taken", () => {
    const gpus = [GpuUuid.parse("GPU-1aaa")];
    const spec = podSpec({ gpus: { count: 1 } });
    const claims = claimsOf([podRecord({ wanted: wantedPod({ podId: podId(9), gpus, spec }) })]);

    const reason = refusalOf({ ...base, claims, wanted: wantedPod({ podId: podId(2), gpus, spec }) });

    expect(reason).toMatchObject({ code: "gpu-taken", details: { holder: podId(9) } });
  });

  it("gives no part of a GPU that somebody has whole", () => {
    const [whole, part] = [GpuUuid.parse("GPU-1aaa"), GpuUuid.parse("MIG-1")];
    const gpus = [{ ...GPUS[0]!, uuid: part, partition: { parent: whole } }];
    const spec = podSpec({ gpus: { count: 1 } });
    const claims = claimsOf([podRecord({ wanted: wantedPod({ podId: podId(9), gpus: [whole], spec }) })]);

    const reason = refusalOf({ ...base, gpus, claims, wanted: wantedPod({ podId: podId(2), gpus: [part], spec }) });

    expect(reason).toMatchObject({ code: "gpu-taken", details: { holder: podId(9) } });
  });
});

describe("choosePorts", () => {
  const request = { holder: podId(1), requests: [{ containerPort: 22, protocol: "tcp" as const }], ranges: RANGES };

  it("gives every port of the range before it gives up", () => {
    const taken = new Set<string>();
    for (let count = 0; count < 8; count += 1) {
      const [binding] = choosePorts({ ...request, holder: podId(count), isTaken: (key) => taken.has(key) }) ?? [];
      expect(binding).toBeDefined();
      taken.add(portKey(binding?.hostPort ?? 0, "tcp"));
    }

    expect(taken.size).toBe(8);
    expect(choosePorts({ ...request, isTaken: (key) => taken.has(key) })).toBeUndefined();
  });

  it("keeps TCP and UDP apart", () => {
    const requests = [
      { containerPort: 53, protocol: "tcp" as const },
      { containerPort: 53, protocol: "udp" as const },
    ];
    const bindings = choosePorts({
      ...request,
      requests,
      ranges: [{ internal: 1, external: 1, count: 1 }],
      isTaken: () => false,
    });

    expect(bindings?.map(({ hostPort, protocol }) => portKey(hostPort, protocol))).toEqual(["1/tcp", "1/udp"]);
  });

  it("shows a mapped port by its number outside", () => {
    expect(publicPort(40_003, RANGES)).toBe(50_003);
    expect(publicPort(39_999, RANGES)).toBe(39_999);
  });
});
