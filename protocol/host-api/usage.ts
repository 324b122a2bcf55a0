/**
 * The host API's record of usage: totals, the record itself as a stream, and whether it is whole.
 */
import { z } from "zod";

import { route } from "../route.ts";
import { SignedSeal, UsageLine, UsageQuery, UsageTotal, UsageVerdict } from "../usage.ts";
import { Nothing } from "../validator-api.ts";

/** `head`: where the chain ends now, signed; to be noted elsewhere. */
const UsageSummary = z.strictObject({ totals: z.array(UsageTotal), head: SignedSeal.optional() });

const Hash = z.string().regex(/^[0-9a-f]{64}$/);

/** A head that was noted before, which the chain must still hold. */
const KnownHead = z
  .strictObject({ seq: z.coerce.number().int().positive().optional(), hash: Hash.optional() })
  .refine(({ seq, hash }) => (seq === undefined) === (hash === undefined), "seq and hash belong together");

export const usageRoutes = {
  usageTotals: route({
    method: "GET",
    path: "/usage/totals",
    summary: "What pods had of this host, summed pod by pod",
    auth: "open",
    answer: "json",
    params: Nothing,
    query: UsageQuery,
    body: Nothing,
    status: 200,
    response: UsageSummary,
    errors: [],
  }),
  exportUsage: route({
    method: "GET",
    path: "/usage",
    summary: "Every interval of usage, then a total for each pod, then the signed end of the chain",
    auth: "open",
    answer: "ndjson",
    params: Nothing,
    query: UsageQuery,
    body: Nothing,
    status: 200,
    response: UsageLine,
    errors: [],
  }),
  verifyUsage: route({
    method: "GET",
    path: "/usage/verdict",
    summary: "Whether the record of usage is what this host wrote",
    auth: "open",
    answer: "json",
    params: Nothing,
    query: KnownHead,
    body: Nothing,
    status: 200,
    response: UsageVerdict,
    errors: [],
  }),
};
