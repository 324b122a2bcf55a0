/**
 * The operator API's routes about the fleet's brake.
 */
import type { Handlers } from "../../common/http-server.ts";
import type { breakerApi } from "../../protocol/operator-gpus.ts";
import type { FleetBreaker } from "../gpus/breaker.ts";

export function breakerHandlers(
  breaker: Pick<FleetBreaker, "view" | "resume"> | undefined,
): Handlers<typeof breakerApi, unknown> {
  return {
    gpuBreaker: () => breaker?.view() ?? { tripped: false },
    resumeRemedies: () => breaker?.resume() ?? { tripped: false },
  };
}
