/**
 * The process that writes a seeded stream and reads it again past the cache, so that a disk that hangs holds up nothing else.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { open, rm } from "node:fs/promises";

import { hexBytes } from "../../../../protocol/challenge/bytes.ts";
import { seededStream } from "../../../../protocol/challenge/host-checks.ts";
import { serveRequests } from "../../../gpus/children/serve.ts";
import { DiskRequest } from "../words.ts";

serveRequests(async (body) => {
  const { file, key, bytes } = DiskRequest.parse(body);
  await rm(file, { force: true });
  try {
    const began = performance.now();
    await write(file, hexBytes(key), bytes);
    const written = performance.now();
    const digest = await digestOfFile(file);
    return { digest, writeMs: written - began, readMs: performance.now() - written };
  } finally {
    await rm(file, { force: true });
  }
});

async function write(path: string, key: Uint8Array, bytes: number): Promise<void> {
  await using file = await open(path, "wx", 0o600);
  for (const piece of seededStream(key, bytes)) await file.writeFile(piece);
  await file.datasync();
}

/** dd reads past the cache where the file system can; Node's own buffers do not lie as that asks for. */
async function digestOfFile(path: string): Promise<string> {
  const direct = await digestBy(["dd", `if=${path}`, "bs=4M", "iflag=direct", "status=none"]);
  const digest = direct ?? (await digestBy(["dd", `if=${path}`, "bs=4M", "status=none"]));
  if (digest === undefined) throw new Error("What was written cannot be read.");
  return digest;
}

async function digestBy([program = "", ...args]: readonly string[]): Promise<string | undefined> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(child, "close");
  const hash = createHash("sha256");
  for await (const chunk of child.stdout) hash.update(chunk);
  const [status] = await ended;
  return status === 0 ? hash.digest("hex") : undefined;
}
