/**
 * The host API's words about strays: what lies about on a host and belongs to no pod.
 */
import { z } from "zod";

import { Instant } from "../ids.ts";
import { route } from "../route.ts";
import { Nothing } from "../validator-api.ts";

export const StrayKind = z.enum(["container", "volume", "network", "mount", "loop", "folder", "table"]);
export type StrayKind = z.infer<typeof StrayKind>;

/**
 * What became of it. `removed`; `would-remove`: a dry run; `young`: it has not lain there for long enough; `kept`: it is only
 * reported, see `detail`; `failed`: it could not be removed, see `detail`.
 */
export const StrayOutcome = z.enum(["removed", "would-remove", "young", "kept", "failed"]);
export type StrayOutcome = z.infer<typeof StrayOutcome>;

export const StrayFinding = z.strictObject({
  kind: StrayKind,
  name: z.string(),
  /** Why it belongs to nobody. */
  why: z.string(),
  outcome: StrayOutcome,
  /** How long it has lain there, as far as we know. */
  ageSeconds: z.int(),
  detail: z.string().optional(),
});
export type StrayFinding = z.infer<typeof StrayFinding>;

export const StrayReport = z.strictObject({
  at: Instant,
  dryRun: z.boolean(),
  graceSeconds: z.number(),
  /** Why nothing could be looked at; then nothing was concluded, and `strays` is empty. */
  problem: z.string().optional(),
  strays: z.array(StrayFinding),
});
export type StrayReport = z.infer<typeof StrayReport>;

const common = {
  auth: "open",
  answer: "json",
  params: Nothing,
  query: Nothing,
  status: 200,
  response: StrayReport,
  errors: [],
} as const;

export const strayRoutes = {
  listStrays: route({
    ...common,
    method: "GET",
    path: "/strays",
    summary: "What lies about on this host and belongs to no pod; nothing is changed",
    body: Nothing,
  }),
  removeStrays: route({
    ...common,
    method: "POST",
    path: "/strays/removals",
    summary: "Removes what belongs to no pod and has lain about for the grace period",
    body: z.strictObject({
      dryRun: z.boolean().default(false),
      /** Without waiting for the grace period. */
      now: z.boolean().default(false),
    }),
  }),
};
