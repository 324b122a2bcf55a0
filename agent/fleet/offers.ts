/**
 * What a host offers, as validators are shown it: what is there and free, by GPU and by model, on the provider's terms. Pure.
 */
import type { Accelerator } from "../../protocol/accelerator.ts";
import type { ModelOffer, Offer } from "../../protocol/capacity.ts";
import type { Gpu } from "../../protocol/gpu.ts";
import { closesHost } from "../../protocol/host.ts";
import type { GpuUuid } from "../../protocol/ids.ts";
import type { HostRecord } from "../store/records.ts";
import { chooseGpus } from "./gpu-choice/choose.ts";
import type { Free } from "./host.ts";
import type { OffersConfig } from "./offers-config.ts";
import type { Candidate } from "./placement.ts";

const MICROS_PER_DOLLAR = 1_000_000;

export interface Terms {
  readonly region?: string | undefined;
  readonly downMbps?: number | undefined;
  readonly upMbps?: number | undefined;
  readonly maintenance: boolean;
}

/** Of one host, by its id or its name. */
export function termsOf({ region, hosts }: OffersConfig, { hostId, name }: Pick<HostRecord, "hostId" | "name">): Terms {
  return { region, maintenance: false, ...(hosts[hostId] ?? hosts[name]) };
}

/** Of one GPU of this model; undefined where the provider names none. */
export function priceMicrosOf({ prices, pricePerGpuHour }: OffersConfig, model: string): number | undefined {
  const fitting = Object.entries(prices).filter(([part]) => model.toLowerCase().includes(part.toLowerCase()));
  const [longest] = fitting.toSorted(([a], [b]) => b.length - a.length || (a < b ? -1 : 1));
  const dollars = longest?.[1] ?? pricePerGpuHour;
  return dollars === undefined ? undefined : Math.round(dollars * MICROS_PER_DOLLAR);
}

export interface OfferContext {
  /** Of its executor. */
  readonly hostKey: string;
  readonly terms: Terms;
  readonly priceMicrosOf: (model: string) => number | undefined;
  /** Codes of what is wrong with GPUs of this host, fenced ones too. */
  readonly gpuProblems: readonly string[];
}

/** None while the host is away, or has not said yet what is on it. */
export function offersOf({ hostId, offer }: Candidate, context: OfferContext): Offer[] {
  if (offer === undefined) return [];
  const { hostKey, terms, gpuProblems } = context;
  const { facts, free } = offer;
  const { sealingKey, publicAddress, rentable: total, problems } = facts;
  const codes = [...new Set([...problems.map(({ code }) => code), ...gpuProblems])].toSorted();
  return [
    {
      hostId,
      hostKey,
      sealingKey,
      publicAddress,
      ...(terms.region === undefined ? {} : { region: terms.region }),
      ...networkOf(terms),
      health: problems.some(closesHost) ? "closed" : codes.length > 0 ? "degraded" : "healthy",
      problems: codes,
      maintenance: terms.maintenance,
      total,
      free: free.resources,
      models: modelsOf(offer, context),
      gpus: facts.gpus.map((gpu) => ({ ...gpu, free: free.gpus.includes(gpu) })),
    },
  ];
}

function networkOf({ downMbps, upMbps }: Terms): Pick<Offer, "network"> {
  if (downMbps === undefined && upMbps === undefined) return {};
  return { network: { ...(downMbps === undefined ? {} : { downMbps }), ...(upMbps === undefined ? {} : { upMbps }) } };
}

function modelsOf(
  { facts, free }: NonNullable<Candidate["offer"]>,
  { priceMicrosOf: priceOf }: OfferContext,
): ModelOffer[] {
  const groups = Map.groupBy(facts.gpus, kindOf);
  return [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, gpus]) => modelOf(gpus, free, priceOf));
}

function modelOf(gpus: readonly Gpu[], free: Free, priceOf: OfferContext["priceMicrosOf"]): ModelOffer[] {
  const [first] = gpus;
  if (first === undefined) return [];
  const { vendor, model, memoryBytes, simulated } = first;
  const unheld = gpus.filter((gpu) => free.gpus.includes(gpu));
  const price = priceOf(model);
  return [
    {
      vendor,
      model,
      memoryBytes,
      simulated,
      count: gpus.length,
      free: unheld.length,
      largestSet: largestOf(unheld),
      ...(price === undefined ? {} : { pricePerGpuHourMicros: price }),
    },
  ];
}

/** What placement would give, so that nothing is promised that it then refuses. */
function largestOf(unheld: readonly Gpu[]): number {
  const [first] = unheld;
  if (first === undefined) return 0;
  for (let count = unheld.length; count > 0; count -= 1) {
    if (chooseGpus({ count, model: first.model }, unheld).missing.length === 0) return count;
  }
  return 0;
}

function kindOf({ vendor, model, memoryBytes, simulated }: Gpu): string {
  return [vendor, model, memoryBytes, simulated].join(" ");
}

/** What is said of a host's GPUs: those that may not be rented, and the codes of what is wrong. */
export interface GpuTrouble {
  readonly fenced: ReadonlySet<GpuUuid>;
  readonly problems: readonly string[];
}

export function gpuTroubleOf(gpus: readonly Accelerator[]): GpuTrouble {
  const fenced = gpus.filter(({ health }) => health.state === "fenced").map(({ uuid }) => uuid);
  return { fenced: new Set(fenced), problems: gpus.flatMap(({ health }) => health.reasons.map(({ code }) => code)) };
}
