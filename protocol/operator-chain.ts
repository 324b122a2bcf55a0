/**
 * The chain's part of the operator API, on the same socket.
 */
import { z } from "zod";

import { ChainStatus, ChainValidator } from "./chain-view.ts";
import { route } from "./route.ts";
import { Nothing } from "./validator-api.ts";

const open = { auth: "open", answer: "json", params: Nothing, query: Nothing, body: Nothing, status: 200 } as const;

export const chainApi = {
  chainStatus: route({
    ...open,
    method: "GET",
    path: "/chain",
    summary: "The chain as last read: our standing, our address, and what went wrong",
    response: ChainStatus,
    errors: ["chain-off"],
  }),
  chainValidators: route({
    ...open,
    method: "GET",
    path: "/chain/validators",
    summary: "Validators with a permit, the heaviest first, and who of them is served",
    response: z.strictObject({ validators: z.array(ChainValidator) }),
    errors: ["chain-off"],
  }),
  announce: route({
    ...open,
    method: "POST",
    path: "/chain/announcement",
    summary: "Tell the chain now where validators find this agent, if it says something else",
    response: ChainStatus,
    errors: ["chain-off", "chain-refused", "chain-unreachable", "chain-client-missing", "invalid-request"],
  }),
} as const;
