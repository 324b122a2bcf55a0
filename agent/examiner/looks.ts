/**
 * Looks at what a host holds open, from where this process is. Each ends at its signal.
 */
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect, type Socket } from "node:net";

import { AppError } from "../../protocol/errors.ts";

export interface Place {
  readonly host: string;
  readonly port: number;
}

const TOKEN_BYTES = 64;
const BANNER_BYTES = 255;
/** Datagrams get lost. */
const ASK_AGAIN_MS = 500;

/** Says something over TCP and resolves with all that comes until the other side ends, and at most with a token's length. */
export async function askPort(at: Place, said: string, signal: AbortSignal): Promise<Buffer> {
  const parts: Buffer[] = [];
  await converse(at, said, signal, (chunk) => {
    parts.push(chunk);
    return Buffer.concat(parts).length >= TOKEN_BYTES;
  });
  return Buffer.concat(parts);
}

/** The same over UDP, with the first datagram that comes. */
export function askDatagram({ host, port }: Place, said: string, signal: AbortSignal): Promise<Buffer> {
  const socket = createSocket("udp4");
  const again = setInterval(() => socket.send(said, port, host), ASK_AGAIN_MS);
  const heard = new Promise<Buffer>((resolve, reject) => {
    socket.on("error", (cause) => reject(unreachable({ host, port }, cause)));
    socket.on("message", (message) => resolve(message));
    signal.addEventListener("abort", () => reject(unreachable({ host, port }, signal.reason)), { once: true });
    socket.send(said, port, host);
  });
  return heard.finally(() => {
    clearInterval(again);
    socket.close();
  });
}

/** The digest of so many bytes, and how long they took from the first word on. */
export async function pullStream(
  at: Place,
  { said, bytes }: { readonly said: string; readonly bytes: number },
  signal: AbortSignal,
): Promise<{ readonly digest: string; readonly tookMs: number }> {
  const hash = createHash("sha256");
  let count = 0;
  const began = performance.now();
  await converse(at, said, signal, (chunk) => {
    hash.update(chunk);
    count += chunk.length;
    return count >= bytes;
  });
  const tookMs = performance.now() - began;
  if (count !== bytes) throw new AppError("connection-failed", { message: `${count} bytes of ${bytes} came.` });
  return { digest: hash.digest("hex"), tookMs };
}

/** What a server says first, without being asked. */
export async function readBanner(at: Place, signal: AbortSignal): Promise<string> {
  let said = "";
  await converse(at, undefined, signal, (chunk) => {
    said += chunk.toString("latin1");
    return said.includes("\n") || said.length > BANNER_BYTES;
  });
  return said.slice(0, BANNER_BYTES).split(/\r?\n/)[0] ?? "";
}

/** Resolves once `hear` has enough, or the other side has ended. */
function converse(
  at: Place,
  said: string | undefined,
  signal: AbortSignal,
  hear: (chunk: Buffer) => boolean,
): Promise<void> {
  const socket: Socket = connect(at);
  const done = new Promise<void>((resolve, reject) => {
    socket.on("error", (cause) => reject(unreachable(at, cause)));
    socket.on("end", () => resolve());
    socket.on("data", (chunk) => {
      if (hear(chunk)) resolve();
    });
    signal.addEventListener("abort", () => reject(unreachable(at, signal.reason)), { once: true });
    if (said !== undefined) socket.write(said);
  });
  return done.finally(() => socket.destroy());
}

function unreachable({ host, port }: Place, cause: unknown): AppError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new AppError("connection-failed", { message: `${host}:${port} cannot be reached: ${why}`, cause });
}
