/**
 * The listener for validators: signed routes, and two documents that anybody may read.
 */
import type { Clock } from "../../common/clock.ts";
import { initHotkeys } from "../../common/hotkey.ts";
import { createHttpServer, DEFAULT_LIMITS, type HttpLimits, type HttpServer } from "../../common/http-server.ts";
import type { Logger } from "../../common/logger.ts";
import { VERSION } from "../../common/version.ts";
import { openApiDocument } from "../../protocol/openapi.ts";
import { healthApi, validatorApi } from "../../protocol/validator-api.ts";
import type { UseCases } from "../fleet/use-cases.ts";
import { type AuthOptions, createAuthenticator } from "./auth.ts";
import { validatorHandlers } from "./routes.ts";

export interface ValidatorServerOptions extends Omit<AuthOptions, "clock"> {
  readonly useCases: UseCases;
  readonly log: Logger;
  readonly clock: Clock;
  /** VALIDATOR_LIMITS when left out. */
  readonly limits?: HttpLimits;
}

/** A signature costs about 2 ms to check, so one address can take at most a twentieth of a core. */
export const VALIDATOR_LIMITS: HttpLimits = { ...DEFAULT_LIMITS, requestsPerMinute: 1_500 };

export async function createValidatorServer(options: ValidatorServerOptions): Promise<HttpServer> {
  const { useCases, hotkey, log, clock, limits = VALIDATOR_LIMITS } = options;
  await initHotkeys();
  return createHttpServer({
    routes: validatorApi,
    handlers: validatorHandlers(useCases),
    authenticate: createAuthenticator(options),
    limits,
    log: log.child({ part: "validator" }),
    clock,
    documents: { "/openapi.json": validatorDocument(), [healthApi.health.path]: { hotkey, version: VERSION } },
  });
}

/** The OpenAPI document of the validator API. */
function validatorDocument(): Record<string, unknown> {
  return openApiDocument(
    {
      title: "Lium Provider: validator API",
      version: VERSION,
      description: "Rent pods from a provider's agent. Requests are signed with btauth/1 by an allowed hotkey.",
    },
    { ...validatorApi, ...healthApi },
  );
}
