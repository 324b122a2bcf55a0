/**
 * The listener for the operator, on a unix socket: the file's permissions are the authentication.
 */
import type { Clock } from "../../common/clock.ts";
import { DEFAULT_LIMITS } from "../../common/http-limits.ts";
import { type BoundRoute, boundRoutes, createHttpServer, type HttpServer } from "../../common/http-server.ts";
import type { Logger } from "../../common/logger.ts";
import { challengeApi } from "../../protocol/challenge/exchange.ts";
import type { Hotkey } from "../../protocol/ids.ts";
import { operatorApi } from "../../protocol/operator-api.ts";
import { chainApi } from "../../protocol/operator-chain.ts";
import { breakerApi } from "../../protocol/operator-gpus.ts";
import { type ChainDesk, chainOff } from "../chain/desk.ts";
import type { ChallengeDesk } from "../challenges/desk.ts";
import { challengeHandlers } from "../challenges/routes.ts";
import type { UseCases } from "../fleet/use-cases.ts";
import type { FleetBreaker } from "../gpus/breaker.ts";
import type { Owner } from "../validator/auth.ts";
import { breakerHandlers } from "./breaker-routes.ts";
import { chainHandlers } from "./chain-routes.ts";
import { OPERATOR, operatorHandlers } from "./routes.ts";

export interface OperatorServerOptions {
  readonly useCases: UseCases;
  /** Left out where the agent does without the chain. */
  readonly chain?: ChainDesk;
  /** Left out where no host is listened to. */
  readonly breaker?: FleetBreaker;
  /** Left out where hosts cannot be challenged. The operator challenges them as the agent itself. */
  readonly challenges?: { readonly desk: ChallengeDesk; readonly hotkey: Hotkey } | undefined;
  readonly log: Logger;
  readonly clock: Clock;
}

/** To be called with `listen({ socketPath })`. */
export function createOperatorServer({
  useCases,
  chain,
  breaker,
  challenges,
  log,
  clock,
}: OperatorServerOptions): Promise<HttpServer> {
  return createHttpServer({
    routes: { ...breakerApi, ...operatorApi, ...chainApi },
    handlers: {
      ...operatorHandlers(useCases),
      ...chainHandlers(chain ?? chainOff()),
      ...breakerHandlers(breaker),
    },
    authenticate: () => OPERATOR,
    more: challenges === undefined ? [] : challengeRoutes(challenges),
    limits: DEFAULT_LIMITS,
    log: log.child({ part: "operator" }),
    clock,
  });
}

function challengeRoutes({ desk, hotkey }: NonNullable<OperatorServerOptions["challenges"]>): BoundRoute[] {
  const owner: Owner = { kind: "owner", hotkey };
  return boundRoutes({ routes: challengeApi, handlers: challengeHandlers(desk), authenticate: () => owner });
}
