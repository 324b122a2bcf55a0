/**
 * The record of usage, for the host's operator. What is open is closed first, so that the answer is of this moment.
 */
import type { Handlers } from "../../common/http-server.ts";
import type { usageRoutes } from "../../protocol/host-api/usage.ts";
import type { Meter } from "../metering/meter.ts";
import type { HostOperator } from "./server.ts";

type Metering = Pick<Meter, "tick" | "totals" | "export" | "verify" | "head">;

export function usageHandlers(meter: Metering): Handlers<typeof usageRoutes, HostOperator> {
  return {
    usageTotals: async ({ query }) => {
      meter.tick();
      const totals = await meter.totals(query);
      const { head } = meter;
      return { totals, ...(head === undefined ? {} : { head }) };
    },
    exportUsage: ({ query }) => {
      meter.tick();
      return meter.export(query);
    },
    verifyUsage: ({ query: { seq, hash } }) =>
      meter.verify(seq === undefined || hash === undefined ? undefined : { seq, hash }),
  };
}
