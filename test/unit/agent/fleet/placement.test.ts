/**
 * Placement takes the first host with room, never gives what is not free, and says what is missing where.
 */
import { describe, expect, it } from "vitest";

import { freeOn } from "../../../../agent/fleet/host.ts";
import { type Candidate, place } from "../../../../agent/fleet/placement.ts";
import type { HostFacts } from "../../../../protocol/host.ts";
import type { HostId } from "../../../../protocol/ids.ts";
import { GIB, gpu, hostFacts, hostId } from "../../../support/agent-builders.ts";
import { podSpec } from "../../../support/builders.ts";

const KEYS = [1, 2].map((n) => Buffer.alloc(32, n).toString("base64"));
const sealedTo = (to = "") => ({ to, box: Buffer.alloc(80, 1).toString("base64") });

function candidate(id: HostId, over: Partial<HostFacts> = {}): Candidate {
  const facts = hostFacts(over);
  return { hostId: id, offer: { facts, free: freeOn(facts, []) } };
}

describe("placement", () => {
  it("takes the first host in the order of ids, in whatever order they come", () => {
    const hosts = [candidate(hostId(3)), candidate(hostId(1)), candidate(hostId(2))];

    const placements = [hosts, hosts.toReversed()].map((order) => place({ spec: podSpec() }, order));

    expect(placements).toEqual([
      { ok: true, hostId: hostId(1), gpus: [] },
      { ok: true, hostId: hostId(1), gpus: [] },
    ]);
  });

  it("goes on to the next host when the first has no room", () => {
    const hosts = [candidate(hostId(1), { gpus: [gpu(1)] }), candidate(hostId(2), { gpus: [gpu(2), gpu(3)] })];

    const placement = place({ spec: podSpec({ gpus: { count: 2 } }) }, hosts);

    expect(placement).toEqual({ ok: true, hostId: hostId(2), gpus: [gpu(2).uuid, gpu(3).uuid] });
  });

  it("demand 19: takes the GPUs that are linked, by what the host says of them", () => {
    const [a, b, c] = [gpu(1), gpu(2), gpu(3)];
    const gpuLinks = [{ a: a.uuid, b: c.uuid, nvlinks: 12 }];

    const placement = place({ spec: podSpec({ gpus: { count: 2 } }) }, [
      candidate(hostId(1), { gpus: [a, b, c], gpuLinks }),
    ]);

    expect(placement).toMatchObject({ gpus: [a.uuid, c.uuid] });
  });

  it("finds a model by a part of its name, in any case", () => {
    const hosts = [candidate(hostId(1), { gpus: [gpu(1, { model: "NVIDIA A100-SXM4" }), gpu(2)] })];

    expect(place({ spec: podSpec({ gpus: { count: 1, model: "h100" } }) }, hosts)).toMatchObject({
      gpus: [gpu(2).uuid],
    });
    expect(place({ spec: podSpec({ gpus: { count: 2, model: "h100" } }) }, hosts)).toMatchObject({
      code: "no-capacity",
      details: { hosts: [{ hostId: hostId(1), missing: ['gpus: 2 asked for, 1 free like "h100"'] }] },
    });
  });

  it("gives exactly the GPUs that are named, or none", () => {
    const hosts = [candidate(hostId(1))];
    const named = (n: number) => podSpec({ gpus: { count: 2, uuids: [gpu(n).uuid, gpu(1).uuid] } });

    expect(place({ spec: named(2) }, hosts)).toMatchObject({ gpus: [gpu(2).uuid, gpu(1).uuid] });
    expect(place({ spec: named(9) }, hosts)).toMatchObject({ ok: false, code: "no-capacity" });
  });

  it("says of every host that was asked all that is missing there", () => {
    const rentable = { cpus: 1, memoryBytes: GIB, diskBytes: 500 * GIB };

    const placement = place({ spec: podSpec({ cpus: 2, memoryBytes: 2 * GIB, gpus: { count: 3 } }) }, [
      candidate(hostId(1), { rentable }),
      { hostId: hostId(2) },
    ]);

    expect(placement).toMatchObject({ code: "no-capacity", message: "No host has room for this pod; one was asked." });
    expect(placement).toHaveProperty("details.hosts", [
      {
        hostId: hostId(1),
        missing: [
          "gpus: 3 asked for, 2 free",
          "cpus: 2 asked for, 1 free",
          `memoryBytes: ${2 * GIB} asked for, ${GIB} free`,
        ],
      },
    ]);
  });

  it("never takes a host that is not there", () => {
    const hosts = [{ hostId: hostId(1) }];

    expect(place({ spec: podSpec() }, hosts)).toMatchObject({
      code: "no-capacity",
      message: "No host that could take this pod is connected.",
    });
    expect(place({ spec: podSpec(), hostId: hostId(1) }, hosts)).toMatchObject({ code: "no-capacity" });
    expect(place({ spec: podSpec(), hostId: hostId(2) }, hosts)).toMatchObject({ code: "host-not-found" });
  });

  it("keeps to the host that is named, even when another has room", () => {
    const hosts = [candidate(hostId(1)), candidate(hostId(2), { gpus: [] })];

    const placement = place({ spec: podSpec({ gpus: { count: 1 } }), hostId: hostId(2) }, hosts);

    expect(placement).toMatchObject({ ok: false, code: "no-capacity" });
  });

  it("takes the host whose key a secret is sealed to", () => {
    const hosts = KEYS.map((sealingKey, n) => candidate(hostId(n), { sealingKey }));
    const spec = podSpec({ registryAuth: { username: "u", password: sealedTo(KEYS[1]) } });

    expect(place({ spec }, hosts)).toMatchObject({ ok: true, hostId: hostId(1) });
    expect(place({ spec, hostId: hostId(0) }, hosts)).toMatchObject({ code: "secret-wrong-host" });
  });

  it("refuses secrets that no single connected host can open", () => {
    const hosts = KEYS.map((sealingKey, n) => candidate(hostId(n), { sealingKey }));
    const stranger = podSpec({ sealedEnv: sealedTo(Buffer.alloc(32, 9).toString("base64")) });
    const two = podSpec({
      sealedEnv: sealedTo(KEYS[0]),
      registryAuth: { username: "u", password: sealedTo(KEYS[1]) },
    });

    for (const spec of [stranger, two]) expect(place({ spec }, hosts)).toMatchObject({ code: "secret-wrong-host" });
  });
});
