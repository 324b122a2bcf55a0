/**
 * The listener for the operator, on a unix socket: the file's permissions are the authentication.
 */
import type { Clock } from "../../common/clock.ts";
import { DEFAULT_LIMITS } from "../../common/http-limits.ts";
import { createHttpServer, type HttpServer } from "../../common/http-server.ts";
import type { Logger } from "../../common/logger.ts";
import { operatorApi } from "../../protocol/operator-api.ts";
import { chainApi } from "../../protocol/operator-chain.ts";
import { breakerApi } from "../../protocol/operator-gpus.ts";
import { type ChainDesk, chainOff } from "../chain/desk.ts";
import type { UseCases } from "../fleet/use-cases.ts";
import type { FleetBreaker } from "../gpus/breaker.ts";
import { breakerHandlers } from "./breaker-routes.ts";
import { chainHandlers } from "./chain-routes.ts";
import { OPERATOR, operatorHandlers } from "./routes.ts";

export interface OperatorServerOptions {
  readonly useCases: UseCases;
  /** Left out where the agent does without the chain. */
  readonly chain?: ChainDesk;
  /** Left out where no host is listened to. */
  readonly breaker?: FleetBreaker;
  readonly log: Logger;
  readonly clock: Clock;
}

/** To be called with `listen({ socketPath })`. */
export function createOperatorServer({
  useCases,
  chain,
  breaker,
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
    limits: DEFAULT_LIMITS,
    log: log.child({ part: "operator" }),
    clock,
  });
}
