/**
 * The host API's look at the host itself.
 */
import { z } from "zod";

import { HostFacts } from "../host.ts";
import { route } from "../route.ts";
import { Nothing } from "../validator-api.ts";

export const HostState = z.strictObject({
  facts: HostFacts,
  engineAnswers: z.boolean(),
  /** Undefined when this host has not joined an agent. */
  linked: z.boolean().optional(),
  pods: z.record(z.string(), z.int()),
});
export type HostState = z.infer<typeof HostState>;

export const stateRoutes = {
  state: route({
    method: "GET",
    path: "/state",
    summary: "The host in one look",
    auth: "open",
    answer: "json",
    params: Nothing,
    query: Nothing,
    body: Nothing,
    status: 200,
    response: HostState,
    errors: [],
  }),
};
