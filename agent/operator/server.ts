/**
 * The listener for the operator, on a unix socket: the file's permissions are the authentication.
 */
import type { Clock } from "../../common/clock.ts";
import { createHttpServer, DEFAULT_LIMITS, type HttpServer } from "../../common/http-server.ts";
import type { Logger } from "../../common/logger.ts";
import { operatorApi } from "../../protocol/operator-api.ts";
import type { UseCases } from "../fleet/use-cases.ts";
import { OPERATOR, operatorHandlers } from "./routes.ts";

export interface OperatorServerOptions {
  readonly useCases: UseCases;
  readonly log: Logger;
  readonly clock: Clock;
}

/** To be called with `listen({ socketPath })`. */
export function createOperatorServer({ useCases, log, clock }: OperatorServerOptions): Promise<HttpServer> {
  return createHttpServer({
    routes: operatorApi,
    handlers: operatorHandlers(useCases),
    authenticate: () => OPERATOR,
    limits: DEFAULT_LIMITS,
    log: log.child({ part: "operator" }),
    clock,
  });
}
