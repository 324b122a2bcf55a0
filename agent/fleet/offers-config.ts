/**
 * The `[offers]` section of agent.toml: what validators are told of hosts that no host can know, and what the provider asks.
 */
import { z } from "zod";

const Dollars = z.number().min(0).max(10_000);
const Region = z.string().min(1).max(64);

const HostTerms = z.strictObject({
  region: Region.optional(),
  downMbps: z.int().positive().optional(),
  upMbps: z.int().positive().optional(),
  /** Pods go on; new ones are refused. */
  maintenance: z.boolean().default(false),
});

export const OffersConfig = z
  .strictObject({
    /** Of hosts that name none of their own. */
    region: Region.optional(),
    /** US dollars for one GPU for one hour, of models that `prices` does not name. */
    pricePerGpuHour: Dollars.optional(),
    /** By a part of a model's name, such as "H100"; of several that fit, the longest holds. */
    prices: z.record(z.string().min(1), Dollars).default({}),
    /** By the host's name or id. */
    hosts: z.record(z.string().min(1), HostTerms).default({}),
  })
  .prefault({});
export type OffersConfig = z.infer<typeof OffersConfig>;
