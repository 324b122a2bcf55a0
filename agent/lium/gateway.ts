/**
 * Lium's WebSocket gateway: sockets that ask for /websocket/<validator hotkey> on the validators' listener become
 * sessions; every other upgrade is turned away. Closing waits for what was begun: a key's removal above all.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

import { WebSocketServer } from "ws";

import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import type { ValidatorAccess } from "./access.ts";
import type { KeyDesk } from "./desk.ts";
import type { Door } from "./door.ts";
import { LiumSession } from "./session.ts";
import type { SignInDeps } from "./sign-in.ts";

/** The listener that the gateway hangs on. */
export interface UpgradeSource {
  onUpgrade(listener: (request: IncomingMessage, socket: Duplex, head: Buffer) => void): void;
}

export interface GatewayDeps {
  readonly signIn: SignInDeps;
  readonly access: ValidatorAccess;
  readonly desk: KeyDesk;
  readonly door: Door;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Gateway {
  /** Lets go of all sockets, and resolves when nothing is under way. */
  close(): Promise<void>;
}

const MAX_FRAME_BYTES = 64 * 1024;
const PATH = /^\/websocket\/(5[1-9A-HJ-NP-Za-km-z]{46,47})$/;

/** `initHotkeys` must be done before. */
export function attachLium(server: UpgradeSource, deps: GatewayDeps): Gateway {
  const { signIn, access, desk, door, clock, log } = deps;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES, perMessageDeflate: false });
  const sessions = new Set<LiumSession>();
  let closing = false;

  server.onUpgrade((request, socket, head) => {
    socket.on("error", () => socket.destroy());
    const from = PATH.exec(request.url ?? "")?.[1];
    if (from === undefined) return turnAway(socket, "404 Not Found");
    if (closing) return turnAway(socket, "503 Service Unavailable");
    const visit = door.enter(request.socket.remoteAddress ?? "");
    if (visit === undefined) return turnAway(socket, "429 Too Many Requests");
    socket.once("close", () => visit.leave());
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on("error", (error) => log.debug("a validator's socket failed", { from, error }));
      const executorsFor = access.executorsFor.bind(access);
      const session = new LiumSession(webSocket, { from, visit, door, desk, executorsFor, signIn, clock, log });
      sessions.add(session);
      void session.run().finally(() => sessions.delete(session));
    });
  });

  return {
    close: async () => {
      closing = true;
      for (const session of sessions) session.terminate();
      await desk.settled();
    },
  };
}

function turnAway(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}
