/** What validators are shown of a host: model by model, on the provider's terms, and nothing that placement would refuse. */
import { describe, expect, it } from "vitest";

import { OffersConfig } from "../../../../agent/fleet/offers-config.ts";
import { gpuTroubleOf, offersOf, priceMicrosOf, termsOf } from "../../../../agent/fleet/offers.ts";
import { candidateOf, type Withheld } from "../../../../agent/fleet/view.ts";
import { Accelerator } from "../../../../protocol/accelerator.ts";
import { Offer } from "../../../../protocol/capacity.ts";
import type { HostFacts } from "../../../../protocol/host.ts";
import { gpu, hostFacts, hostId, hostRecord, podRecord } from "../../../support/agent-builders.ts";
import { wantedPod } from "../../../support/builders.ts";

const AT = "2026-01-01T00:00:00.000Z";
const [H100, A100] = ["NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB"];

interface Case {
  readonly facts?: Partial<HostFacts>;
  readonly config?: unknown;
  readonly withheld?: Withheld;
  readonly pods?: Parameters<typeof candidateOf>[1];
  readonly gpuProblems?: readonly string[];
}

function offerOf({ facts = {}, config = {}, withheld, pods = [], gpuProblems = [] }: Case): Offer {
  const offers = OffersConfig.parse(config);
  const record = hostRecord({ facts: hostFacts(facts) });
  const terms = termsOf(offers, record);
  const host = { record, connected: true, ready: true };
  const [offer] = offersOf(candidateOf(host, pods, false, withheld), {
    hostKey: record.publicKey,
    terms,
    priceMicrosOf: (model) => priceMicrosOf(offers, model),
    gpuProblems,
  });
  return Offer.parse(offer);
}

function accelerator(n: number, health: object): Accelerator {
  return Accelerator.parse({ uuid: gpu(n).uuid, vendor: "nvidia", health });
}

describe("an offer", () => {
  it("counts the GPUs of each model, those that are free, and the most that one pod can have", () => {
    const facts = { gpus: [gpu(1), gpu(2), gpu(3, { model: A100 })] };
    const pods = [podRecord({ wanted: wantedPod({ gpus: [gpu(1).uuid] }) })];

    expect(offerOf({ facts, pods }).models).toMatchObject([
      { model: A100, count: 1, free: 1, largestSet: 1 },
      { model: H100, count: 2, free: 1, largestSet: 1 },
    ]);
  });

  it("has the provider's price of each model, the one by the longest name first, and none where none is named", () => {
    const facts = { gpus: [gpu(1), gpu(2, { model: A100 })] };
    const prices = { h100: 2, "H100 80GB": 2.499 };

    const [[dear, dearer], [none]] = [
      offerOf({ facts, config: { prices, pricePerGpuHour: 0.5 } }).models,
      offerOf({ facts, config: {} }).models,
    ];

    expect([dear?.pricePerGpuHourMicros, dearer?.pricePerGpuHourMicros]).toEqual([500_000, 2_499_000]);
    expect(none).not.toHaveProperty("pricePerGpuHourMicros");
  });

  it("says where the host is and how it is connected, by its name or its id", () => {
    const hosts = { "gpu-host": { region: "DE", upMbps: 900 }, [hostId(2)]: { region: "US" } };

    const offer = offerOf({ config: { region: "EU", hosts } });

    expect(offer).toMatchObject({ region: "DE", network: { upMbps: 900 }, maintenance: false });
    expect(termsOf(OffersConfig.parse({ region: "EU", hosts }), { hostId: hostId(2), name: "x" }).region).toBe("US");
    expect(termsOf(OffersConfig.parse({ region: "EU", hosts }), { hostId: hostId(3), name: "x" }).region).toBe("EU");
  });

  it("counts GPUs that a challenge holds, and does not give them", () => {
    const part = gpu(4, { partition: { parent: gpu(2).uuid } });
    const withheld = { fenced: new Set<never>(), maintenance: false, reserved: new Set([gpu(1).uuid, gpu(2).uuid]) };

    const offer = offerOf({ facts: { gpus: [gpu(1), gpu(3), part] }, withheld });

    expect(offer.gpus.map(({ free }) => free)).toEqual([false, true, false]);
  });

  it("has nothing free while the provider works on the host, and says so", () => {
    const offer = offerOf({ config: { hosts: { "gpu-host": { maintenance: true } } }, withheld: maintained() });

    expect(offer).toMatchObject({
      maintenance: true,
      free: { cpus: 0 },
      models: [{ count: 2, free: 0, largestSet: 0 }],
    });
  });

  it("says what is wrong: what closes the host, and what keeps nobody away", () => {
    const problem = (code: string) => ({ problems: [{ code, message: "", since: AT }] });

    const states = [
      offerOf({}),
      offerOf({ gpuProblems: ["gpu-hot", "gpu-hot"] }),
      offerOf({ facts: problem("gpu-passthrough-missing") }),
      offerOf({ facts: problem("disk-low") }),
    ].map(({ health, problems }) => [health, problems]);

    expect(states).toEqual([
      ["healthy", []],
      ["degraded", ["gpu-hot"]],
      ["degraded", ["gpu-passthrough-missing"]],
      ["closed", ["disk-low"]],
    ]);
  });

  it("never has a GPU that is fenced, nor a part of one", () => {
    const part = gpu(3, { partition: { parent: gpu(4).uuid } });
    const reason = { code: "xid-79", message: "", fence: true };
    const trouble = gpuTroubleOf([
      accelerator(1, { state: "fenced", reasons: [reason] }),
      accelerator(4, { state: "fenced" }),
      accelerator(2, { state: "suspect", reasons: [{ ...reason, code: "gpu-hot", fence: false }] }),
    ]);
    const withheld = { fenced: trouble.fenced, maintenance: false };

    const offer = offerOf({ facts: { gpus: [gpu(1), gpu(2), part] }, withheld, gpuProblems: trouble.problems });

    expect(offer.gpus.map(({ uuid }) => uuid)).toEqual([gpu(2).uuid]);
    expect(offer).toMatchObject({ health: "degraded", problems: ["gpu-hot", "xid-79"], models: [{ count: 1 }] });
  });
});

function maintained(): Withheld {
  return { fenced: new Set(), maintenance: true };
}
