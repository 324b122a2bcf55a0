/**
 * The listener for validators: signed routes, and two documents that anybody may read.
 */
import type { Clock } from "../../common/clock.ts";
import { initHotkeys } from "../../common/hotkey.ts";
import { DEFAULT_LIMITS, type HttpLimits } from "../../common/http-limits.ts";
import { type BoundRoute, createHttpServer, type HttpServer } from "../../common/http-server.ts";
import type { Logger } from "../../common/logger.ts";
import type { Rate } from "../../common/token-bucket.ts";
import { VERSION } from "../../common/version.ts";
import { challengeApi } from "../../protocol/challenge/exchange.ts";
import { openApiDocument } from "../../protocol/openapi.ts";
import { healthApi, validatorApi } from "../../protocol/validator-api.ts";
import type { ChallengeDesk } from "../challenges/desk.ts";
import { challengeHandlers } from "../challenges/routes.ts";
import type { AgentConfig } from "../config.ts";
import type { UseCases } from "../fleet/use-cases.ts";
import { type AuthOptions, createAuthenticator } from "./auth.ts";
import { CapacityBoard } from "./capacity-board.ts";
import { validatorHandlers } from "./routes.ts";

export interface ValidatorServerOptions extends Omit<AuthOptions, "clock"> {
  readonly useCases: UseCases;
  /** By the agent's hotkey; capacity is shown unsigned without it. */
  readonly sign?: ((bytes: Uint8Array) => Uint8Array) | undefined;
  readonly challenges: ChallengeDesk;
  readonly log: Logger;
  readonly clock: Clock;
  /** VALIDATOR_LIMITS when left out. */
  readonly limits?: HttpLimits;
  /** Routes of others on the same listener. */
  readonly more?: readonly BoundRoute[];
}

/** A signature costs between 0.3 and 2 ms to check, so one address can take at most a twentieth of a core. */
export const VALIDATOR_LIMITS: HttpLimits = { ...DEFAULT_LIMITS, perAddress: { perSecond: 25, burst: 250 } };

/** As the operator configures them; a burst is what comes in ten seconds. */
export function validatorLimits(
  config: AgentConfig["validator"],
): Required<Pick<ValidatorServerOptions, "limits" | "perHotkey">> {
  const { bodyLimitBytes, rateLimitPerMinute, hotkeyRateLimitPerMinute, maxConnections } = config;
  return {
    limits: {
      ...VALIDATOR_LIMITS,
      bodyBytes: bodyLimitBytes,
      perAddress: rateOf(rateLimitPerMinute),
      connections: maxConnections,
      connectionsPerAddress: Math.ceil(maxConnections / 4),
    },
    perHotkey: rateOf(hotkeyRateLimitPerMinute),
  };
}

function rateOf(perMinute: number): Rate {
  return { perSecond: perMinute / 60, burst: Math.max(1, perMinute / 6) };
}

export async function createValidatorServer(options: ValidatorServerOptions): Promise<HttpServer> {
  const { useCases, hotkey, sign, challenges, log, clock, limits = VALIDATOR_LIMITS } = options;
  await initHotkeys();
  const board = new CapacityBoard({ capacity: () => useCases.capacity(), hotkey, sign, clock });
  return createHttpServer({
    routes: { ...validatorApi, ...challengeApi },
    handlers: { ...validatorHandlers(useCases, board), ...challengeHandlers(challenges) },
    ...createAuthenticator(options),
    limits,
    more: options.more ?? [],
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
      description:
        "Rent pods from a provider's agent and test its hosts. Requests are signed with btauth/1 by an allowed hotkey.",
    },
    { ...validatorApi, ...challengeApi, ...healthApi },
  );
}
