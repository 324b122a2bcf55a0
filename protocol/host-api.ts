/**
 * The host API: what the commands of `lium-executor` ask of the executor that runs, over a unix socket.
 * File permissions are the authentication.
 */
import { faultRoutes } from "./host-api/faults.ts";
import { healthRoutes } from "./host-api/health.ts";
import { imageRoutes } from "./host-api/images.ts";
import { stateRoutes } from "./host-api/state.ts";
import { strayRoutes } from "./host-api/strays.ts";
import { usageRoutes } from "./host-api/usage.ts";
import { volumeRoutes } from "./host-api/volumes.ts";

export const hostApi = {
  ...faultRoutes,
  ...healthRoutes,
  ...imageRoutes,
  ...stateRoutes,
  ...strayRoutes,
  ...usageRoutes,
  ...volumeRoutes,
};
