/**
 * One daemon for one folder. The lock is a name in the kernel that ends with the process, so a crash leaves nothing behind.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { realpath } from "node:fs/promises";
import { createServer } from "node:net";

import { AppError } from "../protocol/errors.ts";

/** Holds the lock until the returned function is called. Throws `already-exists` when another process holds it. */
export async function lockFolder(dir: string): Promise<() => void> {
  const name = createHash("sha256")
    .update(await realpath(dir))
    .digest("hex");
  const server = createServer((socket) => socket.destroy());
  const listening = once(server, "listening");
  // A leading NUL makes it a name of Linux's abstract namespace: no file is there to go stale.
  server.listen(`\0lium-${name}`);
  server.unref();
  await listening.catch((cause: unknown) => {
    throw new AppError("already-exists", { message: `Another process works in ${dir} already.`, cause });
  });
  return () => void server.close();
}
