/**
 * Where a server listens: a port, or a unix socket whose file has its permissions from its first moment on.
 * A socket's file that a dead process left behind is removed, anything else in its place is left alone.
 */
import { once } from "node:events";
import { lstat, rm } from "node:fs/promises";
import { createConnection, type Server } from "node:net";

import { AppError } from "../protocol/errors.ts";

export type ListenOn =
  | { readonly host: string; readonly port: number }
  /** `mode` are the permissions of the socket's file, 0600 when left out. */
  | { readonly socketPath: string; readonly mode?: number };

/**
 * Resolves to the port, or 0 for a unix socket, whose file Node removes when the server closes.
 * Throws `already-exists` when something is there already.
 */
export async function listenOn(server: Server, on: ListenOn): Promise<number> {
  if ("socketPath" in on) await removeStaleSocket(on.socketPath);
  const listening = once(server, "listening");
  if ("socketPath" in on) bindSocket(server, on.socketPath, on.mode ?? 0o600);
  else server.listen(on);
  await listening.catch((cause: unknown) => {
    const where = "socketPath" in on ? on.socketPath : `${on.host}:${on.port}`;
    throw new AppError("already-exists", { message: `Nothing can listen on ${where} now.`, cause });
  });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Node makes the file before `listen` returns. */
function bindSocket(server: Server, path: string, mode: number): void {
  const previous = process.umask(0o777 & ~mode);
  try {
    server.listen({ path });
  } finally {
    process.umask(previous);
  }
}

async function removeStaleSocket(path: string): Promise<void> {
  const file = await lstat(path).catch(() => undefined);
  if (file === undefined) return;
  if (!file.isSocket()) throw new AppError("already-exists", { message: `${path} is there and is no socket.` });
  if (await isListening(path))
    throw new AppError("already-exists", { message: `Somebody listens on ${path} already.` });
  await rm(path, { force: true });
}

/** Only a refused connection proves that nobody does. */
function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => resolve(!("code" in error && error.code === "ECONNREFUSED")));
  });
}
