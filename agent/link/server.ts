/**
 * The listener for executors: TLS with our own certificate, one WebSocket each, everything else is turned away.
 */
import { createServer, type Server } from "node:https";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";

import { WebSocketServer } from "ws";

import type { Clock } from "../../common/clock.ts";
import { listenOn } from "../../common/listen.ts";
import type { Logger } from "../../common/logger.ts";
import { LINK_PATH, MAX_FRAME_BYTES, WORDS_HEADER } from "../../protocol/link.ts";
import type { HostReports } from "../fleet/host-reports.ts";
import type { GpuReports } from "../gpus/gpu-reports.ts";
import type { Certificate } from "./certificate.ts";
import { type ChallengeEars, Session } from "./session.ts";
import { WaitingRoom, type WaitingRoomOptions } from "./waiting-room.ts";

export interface LinkServerDeps {
  readonly certificate: Certificate;
  readonly reports: HostReports;
  readonly gpus: GpuReports;
  readonly challenges: ChallengeEars;
  readonly clock: Clock;
  readonly log: Logger;
}

const WAITING_ROOM: WaitingRoomOptions = { perAddress: 32, deadlineMs: 10_000 };

export class LinkServer {
  readonly #deps: LinkServerDeps;
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES, perMessageDeflate: false });
  readonly #sessions = new Map<Session, Promise<void>>();

  constructor(deps: LinkServerDeps, waitingRoom: WaitingRoomOptions = WAITING_ROOM) {
    this.#deps = deps;
    const { cert, key } = deps.certificate;
    const waiting = new WaitingRoom(waitingRoom, deps.clock);
    this.#server = createServer({ cert, key, minVersion: "TLSv1.3" }, (_, answer) => {
      answer.writeHead(404, { connection: "close" }).end();
    });
    this.#server.on("connection", (socket) => {
      if (socket instanceof Socket) waiting.enter(socket);
      else socket.destroy();
    });
    this.#server.on("upgrade", (request, socket, head) => {
      socket.on("error", () => socket.destroy());
      if (request.url !== LINK_PATH) return refuseUpgrade(socket);
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        const { remoteAddress, remotePort } = request.socket;
        webSocket.on("error", (error) => this.#deps.log.info("a link failed", { remoteAddress, error }));
        const onAdmitted = (): void => waiting.leave({ remoteAddress, remotePort });
        const { certificate, ...deps } = this.#deps;
        const { fingerprint } = certificate;
        const words = String(request.headers[WORDS_HEADER] ?? "").split(" ");
        this.#serve(new Session(webSocket, { ...deps, words, fingerprint, onAdmitted }));
      });
    });
  }

  /** Gives the port. Throws `already-exists` when it is taken. */
  listen(on: { readonly host: string; readonly port: number }): Promise<number> {
    return listenOn(this.#server, on);
  }

  /** Lets go of all links; hosts and pods go on, and dial again. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const session of this.#sessions.keys()) session.close();
    await Promise.all(this.#sessions.values());
    this.#server.closeAllConnections();
    await closed;
  }

  #serve(session: Session): void {
    const done = session.run().finally(() => this.#sessions.delete(session));
    this.#sessions.set(session, done);
  }
}

function refuseUpgrade(socket: Duplex): void {
  socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}
