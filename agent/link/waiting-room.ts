/**
 * Connections that have not proved who they are: a few for each address, each for a short time, whatever it does or
 * fails to do in that time. So strangers can hold neither sockets nor memory.
 */
import type { Socket } from "node:net";

import type { Clock } from "../../common/clock.ts";

export interface WaitingRoomOptions {
  /** How many of one address may wait at once. Hosts behind one router come back together after a restart. */
  readonly perAddress: number;
  readonly deadlineMs: number;
}

/** What both ends of a TLS connection's layers know of it. */
type Peer = Pick<Socket, "remoteAddress" | "remotePort">;

export class WaitingRoom {
  readonly #options: WaitingRoomOptions;
  readonly #clock: Clock;
  /** For each address its ports, each with what lets it go. */
  readonly #waiting = new Map<string, Map<number, AbortController>>();

  constructor(options: WaitingRoomOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Destroys the socket at once when the room is full for its address, and later when its time is over. */
  enter(socket: Socket): void {
    const { remoteAddress: address, remotePort: port } = socket;
    const others = this.#waiting.get(address ?? "") ?? new Map<number, AbortController>();
    if (address === undefined || port === undefined || others.size >= this.#options.perAddress) {
      socket.destroy();
      return;
    }
    const left = new AbortController();
    this.#waiting.set(address, others.set(port, left));
    const peer = { remoteAddress: address, remotePort: port };
    socket.once("close", () => this.leave(peer));
    this.#clock.sleep(this.#options.deadlineMs, left.signal).then(
      () => socket.destroy(),
      () => undefined,
    );
  }

  /** The peer has proved who it is, or is gone. */
  leave({ remoteAddress: address = "", remotePort: port = 0 }: Peer): void {
    const others = this.#waiting.get(address);
    others?.get(port)?.abort();
    others?.delete(port);
    if (others?.size === 0) this.#waiting.delete(address);
  }
}
