/**
 * A seeded stream on the disk that pods fill.
 */
import { rm, statfs } from "node:fs/promises";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { streamKey } from "../../../../protocol/challenge/host-checks.ts";
import type { HostChallenge } from "../../../../protocol/challenge/host-messages.ts";
import { AppError } from "../../../../protocol/errors.ts";
import { type WorkerParts, WorkerProcess } from "../../../gpus/children/worker-process.ts";
import { DiskAnswer, type DiskRequest } from "../words.ts";

/** So much stays free, whatever a validator asks for. */
const KEEP_FREE_BYTES = 2 ** 30;
const FILE = "challenge.bin";
const ENV = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" };
const NO_REST = { firstDelayMs: 0, maxDelayMs: 0 };

/** What a crash left on the disk. */
export async function clearDisk(dir: string): Promise<void> {
  await rm(join(dir, FILE), { force: true });
}

/** `dir` is on the file system of pods. Throws `disk-low` where it would get too full. */
export async function measureDisk(
  { challenge, bytes, dir }: { readonly challenge: HostChallenge; readonly bytes: number; readonly dir: string },
  parts: WorkerParts,
  signal: AbortSignal,
): Promise<DiskAnswer> {
  const { bavail, bsize } = await statfs(dir);
  if (bavail * bsize < bytes + KEEP_FREE_BYTES) {
    throw new AppError("disk-low", { message: `${bavail * bsize} bytes are free, too few to write ${bytes}.` });
  }
  const script = fileURLToPath(new URL(`./worker${extname(import.meta.url)}`, import.meta.url));
  const worker = new WorkerProcess({ name: "disk", script, args: [], env: ENV, restart: NO_REST }, parts);
  try {
    const file = join(dir, FILE);
    const request: DiskRequest = { file, key: streamKey(challenge).toString("hex"), bytes };
    const answer = await worker.request(request, challenge.answerWithinMs, signal);
    if (!answer.ok) throw new AppError("challenge-failed", { message: `The disk: ${answer.detail}` });
    return DiskAnswer.parse(answer.value);
  } finally {
    await worker.close();
  }
}
