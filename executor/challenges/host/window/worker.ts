/**
 * The process that answers on asked ports, in the network of a container that publishes them. Whoever says the challenge's id
 * gets the port's token, or the stream; whoever says anything else gets nothing. An answer over UDP is never longer than its
 * question, so that nobody can be flooded by it.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { hexBytes } from "../../../../protocol/challenge/bytes.ts";
import { seededStream } from "../../../../protocol/challenge/host-checks.ts";
import { serveRequests } from "../../../gpus/children/serve.ts";
import { WindowRequest } from "../words.ts";

const ID_CHARS = 64;
const ASK_WITHIN_MS = 5_000;
const MOST_SOCKETS = 32;

serveRequests(async (body) => {
  const { challengeId, tokens, stream } = WindowRequest.parse(body);
  for (const { port, protocol, token } of tokens) {
    const bytes = Buffer.from(token, "base64");
    if (protocol === "udp") await answerDatagrams(port, challengeId, bytes);
    else await answerCallers(port, challengeId, async (socket) => void socket.end(bytes));
  }
  if (stream !== undefined) {
    const { port, key, bytes } = stream;
    await answerCallers(port, challengeId, (socket) =>
      pipeline(Readable.from(seededStream(hexBytes(key), bytes), { objectMode: false }), socket),
    );
  }
});

async function answerCallers(port: number, id: string, answer: (socket: Socket) => Promise<void>): Promise<void> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.setTimeout(ASK_WITHIN_MS, () => socket.destroy());
    let said = "";
    socket.on("data", function hear(chunk) {
      said += chunk.toString("latin1");
      if (said.length < ID_CHARS) return;
      socket.off("data", hear);
      if (said.trimEnd() === id) answer(socket).catch(() => socket.destroy());
      else socket.destroy();
    });
  });
  server.maxConnections = MOST_SOCKETS;
  server.listen({ port, host: "0.0.0.0" });
  await once(server, "listening");
}

async function answerDatagrams(port: number, id: string, token: Buffer): Promise<void> {
  const socket = createSocket("udp4");
  socket.on("error", () => undefined);
  socket.on("message", (said, from) => {
    if (said.toString("latin1").trimEnd() === id) socket.send(token, from.port, from.address);
  });
  socket.bind({ port, address: "0.0.0.0" });
  await once(socket, "listening");
}
