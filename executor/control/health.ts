/**
 * The health of GPUs, for the host's operator.
 */
import type { Handlers } from "../../common/http-server.ts";
import type { healthRoutes } from "../../protocol/host-api/health.ts";
import type { GpuHealth } from "../gpus/health/engine.ts";
import type { HostOperator } from "./server.ts";

export function healthHandlers(
  health: Pick<GpuHealth, "report" | "clear">,
): Handlers<typeof healthRoutes, HostOperator> {
  return {
    gpuHealth: () => {
      const { incidents, fences, remedies, forbidden } = health.report();
      return {
        incidents: [...incidents],
        fences: [...fences],
        remedies: [...remedies],
        ...(forbidden === undefined ? {} : { forbidden }),
      };
    },
    clearGpu: ({ params: { gpu }, body: { reason } }) => health.clear(gpu, reason),
  };
}
