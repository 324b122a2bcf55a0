/**
 * Strays, for the host's operator.
 */
import type { Handlers } from "../../common/http-server.ts";
import type { strayRoutes } from "../../protocol/host-api/strays.ts";
import type { Strays } from "../strays/strays.ts";
import type { HostOperator } from "./server.ts";

export function strayHandlers(strays: Pick<Strays, "sweep">): Handlers<typeof strayRoutes, HostOperator> {
  return {
    listStrays: ({ signal }) => strays.sweep({ dryRun: true }, signal),
    removeStrays: ({ body: { dryRun, now }, signal }) =>
      strays.sweep({ dryRun, ...(now ? { graceMs: 0 } : {}) }, signal),
  };
}
