/**
 * Writes a stream into a file of zeros, leaving out blocks that are nothing else, so that holes stay holes.
 */
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";

import { AppError } from "../../../protocol/errors.ts";

const BLOCK = 64 * 1024;

/** Resolves with the bytes read. Throws `backup-failed` for more than `maxBytes`. */
export async function writeSparse(
  source: Readable,
  file: string,
  { maxBytes, onProgress }: { readonly maxBytes: number; readonly onProgress: (doneBytes: number) => void },
): Promise<number> {
  const handle = await open(file, "r+");
  try {
    let at = 0;
    for await (const chunk of source) {
      const bytes = Buffer.from(chunk);
      if (at + bytes.length > maxBytes) {
        throw new AppError("backup-failed", { message: `The image in the backup is larger than ${maxBytes} bytes.` });
      }
      for (let from = 0; from < bytes.length; from += BLOCK) {
        const block = bytes.subarray(from, from + BLOCK);
        if (!isZero(block)) await writeAll(handle, block, at + from);
      }
      at += bytes.length;
      onProgress(at);
    }
    await handle.sync();
    return at;
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: Awaited<ReturnType<typeof open>>, block: Buffer, position: number): Promise<void> {
  for (let done = 0; done < block.length;) {
    done += (await handle.write(block, done, block.length - done, position + done)).bytesWritten;
  }
}

const ZEROS = Buffer.alloc(BLOCK);

function isZero(block: Buffer): boolean {
  return block.equals(ZEROS.subarray(0, block.length));
}
