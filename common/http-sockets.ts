/**
 * What a server does to a connection itself: it answers what is no request, and ends an answer that nobody reads.
 */
import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { AppError } from "../protocol/errors.ts";
import type { Clock } from "./clock.ts";
import { refusalOf } from "./http-errors.ts";

/** Ends the connection of a reader that took nothing between two looks although something waited. */
export async function dropStalled(
  response: ServerResponse,
  { clock, everyMs, signal }: { clock: Clock; everyMs: number; signal: AbortSignal },
): Promise<void> {
  for (let before = -1; ;) {
    // The sleep rejects once the answer is over, one way or the other.
    if (
      await clock.sleep(everyMs, signal).then(
        () => false,
        () => true,
      )
    )
      return;
    const sent = response.socket?.bytesWritten ?? 0;
    if (response.writableNeedDrain && sent === before) return void response.destroy();
    before = sent;
  }
}

export function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

/** Bytes that are no HTTP request, or one that took too long to arrive. */
export function answerNoRequest(error: { code: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const { status, body } = refusalOf(new AppError("invalid-request", { message: "This is no request." }), randomUUID());
  const text = JSON.stringify(body);
  const head = `HTTP/1.1 ${status} Bad Request\r\nContent-Type: application/json\r\nConnection: close`;
  socket.end(`${head}\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`, () => socket.destroy());
}
