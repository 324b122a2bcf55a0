/**
 * What is kept of GPUs' health over restarts and boots: a file that is replaced in one step.
 */
import { readFile, rename } from "node:fs/promises";

import { z } from "zod";

import { writeFileAtomic } from "../../../common/atomic-file.ts";
import type { Logger } from "../../../common/logger.ts";
import { GpuFence, GpuIncident, GpuRemedy } from "../../../protocol/gpu-incident.ts";
import { GpuUuid } from "../../../protocol/ids.ts";
import type { Best } from "./states.ts";

/** In the executor's state folder. */
export const HEALTH_FILE = "gpu-health.json";

const Stored = z.strictObject({
  version: z.literal(1),
  incidents: z.array(GpuIncident),
  fences: z.array(GpuFence),
  remedies: z.array(GpuRemedy),
  best: z.record(z.string(), z.strictObject({ pcieWidth: z.int(), activeLinks: z.int() })),
});

export interface HealthState {
  /** The newest last, as in all of these lists. */
  readonly incidents: readonly GpuIncident[];
  readonly fences: readonly GpuFence[];
  readonly remedies: readonly GpuRemedy[];
  readonly best: ReadonlyMap<GpuUuid, Best>;
}

export const NO_HISTORY: HealthState = { incidents: [], fences: [], remedies: [], best: new Map() };

/** `damaged` where what the file holds makes no sense. Rejects where it cannot be read at all: fences must not get lost. */
export async function readHealth(file: string): Promise<HealthState | "damaged"> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return NO_HISTORY;
    throw error;
  }
  const stored = Stored.safeParse(parsed(text));
  if (!stored.success) return "damaged";
  const { version: _, best, ...lists } = stored.data;
  const known = Object.entries(best).flatMap(([uuid, one]): [GpuUuid, Best][] => {
    const gpu = GpuUuid.safeParse(uuid);
    return gpu.success ? [[gpu.data, one]] : [];
  });
  return { ...lists, best: new Map(known) };
}

/** One that cannot be read is set aside: the devices' readings say anew what they say. */
export async function recallHealth(file: string, log: Logger): Promise<HealthState> {
  const state = await readHealth(file);
  if (state !== "damaged") return state;
  log.error("what was known of the GPUs' health cannot be read and was set aside", { file });
  await rename(file, `${file}.damaged`);
  return NO_HISTORY;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export async function writeHealth(file: string, { best, ...lists }: HealthState): Promise<void> {
  await writeFileAtomic(file, JSON.stringify({ version: 1, ...lists, best: Object.fromEntries(best) }), 0o600);
}
