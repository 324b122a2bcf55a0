/**
 * The listener for this host's operator, on a unix socket: the file's permissions are the authentication.
 */
import type { Clock } from "../../common/clock.ts";
import { DEFAULT_LIMITS } from "../../common/http-limits.ts";
import { createHttpServer, type Handlers, type HttpServer } from "../../common/http-server.ts";
import type { Logger } from "../../common/logger.ts";
import { hostApi } from "../../protocol/host-api.ts";

/** Whoever reaches the socket. */
export const HOST_OPERATOR = { kind: "operator" } as const;
export type HostOperator = typeof HOST_OPERATOR;

/** Backups and restores of volumes are asked for here, and they take their time. */
const ANSWER_MS = 6 * 3_600_000;

export interface ControlServerOptions {
  readonly handlers: Handlers<typeof hostApi, HostOperator>;
  readonly log: Logger;
  readonly clock: Clock;
}

/** To be called with `listen({ socketPath })`. */
export function createControlServer({ handlers, log, clock }: ControlServerOptions): Promise<HttpServer> {
  return createHttpServer({
    routes: hostApi,
    handlers,
    authenticate: () => HOST_OPERATOR,
    limits: { ...DEFAULT_LIMITS, answerMs: ANSWER_MS },
    log: log.child({ part: "control" }),
    clock,
  });
}
