/**
 * The other end of pods' connections, run as a program of its own: greets on the first port; takes all it gets on the
 * second; sends without end on the third. When one of the last two closes, it prints the bytes per second since WARM_UP.
 */
import { createServer, type Socket } from "node:net";

/** The kernel's limiter lets a second's worth pass at once before it begins to limit. */
const WARM_UP_MS = 2_000;
const CHUNK = Buffer.alloc(65_536);

function measure(socket: Socket, bytes: () => number): void {
  let from = { ms: 0, bytes: 0 };
  const warmedUp = setTimeout(() => (from = { ms: performance.now(), bytes: bytes() }), WARM_UP_MS);
  let last = { ms: 0, bytes: 0 };
  const sampling = setInterval(() => (last = { ms: performance.now(), bytes: bytes() }), 100);
  socket.on("close", () => {
    clearTimeout(warmedUp);
    clearInterval(sampling);
    const rate = ((last.bytes - from.bytes) / (last.ms - from.ms)) * 1000;
    process.stdout.write(`${Math.round(rate)}\n`);
  });
}

function send(socket: Socket): void {
  while (!socket.destroyed && socket.write(CHUNK));
}

const [greeter = 0, sink = 0, source = 0] = process.argv.slice(2).map(Number);
const handlers: [number, (socket: Socket) => void][] = [
  [greeter, (socket) => socket.end("hello\n")],
  [
    sink,
    (socket) => {
      socket.resume().on("end", () => socket.end());
      measure(socket, () => socket.bytesRead);
    },
  ],
  [
    source,
    (socket) => {
      measure(socket, () => socket.bytesWritten - socket.writableLength);
      socket.on("drain", () => send(socket));
      send(socket);
    },
  ],
];
for (const [port, handle] of handlers) {
  if (!Number.isInteger(port) || port === 0) continue;
  // A program that has nothing more to say may still listen.
  createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    handle(socket);
  }).listen(port, "0.0.0.0");
}
