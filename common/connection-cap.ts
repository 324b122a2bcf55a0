/**
 * How many connections one caller may have open, so that nobody can take all that a listener allows.
 */
import type { Server, Socket } from "node:net";

import { networkOf } from "./address-network.ts";

/** Cuts off at once what comes beyond `perNetwork`. What is counted is open, so the server's own cap bounds the memory. */
export function capConnections(server: Server, perNetwork: number): void {
  const open = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined) return;
    const network = networkOf(remoteAddress);
    const count = open.get(network) ?? 0;
    if (count >= perNetwork) return void socket.destroy();
    open.set(network, count + 1);
    socket.once("close", () => {
      const left = (open.get(network) ?? 1) - 1;
      if (left > 0) open.set(network, left);
      else open.delete(network);
    });
  });
}
