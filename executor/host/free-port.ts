/**
 * Whether a port of this host can be listened on right now. A claim keeps our pods apart; this keeps us apart from others.
 */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

export function isPortFree(port: number, protocol: "tcp" | "udp", address: string): Promise<boolean> {
  return protocol === "tcp" ? canListen(port, address) : canBind(port, address);
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function canBind(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ port, address, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}
