/**
 * How GPUs were cut when they last were as wanted, on disk: after a boot, which forgets instances, they are cut the same way.
 */
import { readFile } from "node:fs/promises";

import { z } from "zod";

import { writeFileAtomic } from "../../../common/atomic-file.ts";
import { readKnown } from "../../../common/lenient.ts";
import { GpuUuid } from "../../../protocol/ids.ts";
import type { Placed } from "./place.ts";

const Layouts = z.strictObject({
  version: z.literal(1),
  devices: z.record(GpuUuid, z.array(z.strictObject({ profile: z.string(), start: z.int().nonnegative() }))),
});

/** None where there is no file, or one that makes no sense: then the places are chosen anew. */
export async function readLayouts(file: string): Promise<ReadonlyMap<string, readonly Placed[]>> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  return new Map(Object.entries(readKnown(Layouts, text)?.devices ?? {}));
}

/** Rejects with the file system's own errors. */
export async function writeLayouts(file: string, layouts: ReadonlyMap<string, readonly Placed[]>): Promise<void> {
  const content = { version: 1, devices: Object.fromEntries(layouts) };
  await writeFileAtomic(file, `${JSON.stringify(content, undefined, 2)}\n`, 0o600);
}
