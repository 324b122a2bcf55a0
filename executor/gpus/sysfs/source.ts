/**
 * The files of the kernel, read by a worker of their own: a driver may hold a read for ever. While it does, what was read
 * last stands, with that reason.
 */
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

import { z } from "zod";

import { GpuPair, type HealthReason } from "../../../protocol/accelerator.ts";
import { type WorkerParts, WorkerProcess } from "../children/worker-process.ts";
import { soundReadings } from "../sound.ts";
import type { SourceReading } from "../source.ts";

export interface SysfsReading extends SourceReading {
  /** Versions of NVIDIA's kernel module and library; undefined where there is none. */
  readonly nvidiaModule: string | undefined;
  readonly nvidiaLibrary: string | undefined;
}

const Scan = z.strictObject({
  readings: z.array(z.unknown()).transform(soundReadings),
  pairs: z.array(GpuPair.omit({ a: true, b: true }).extend({ a: z.string(), b: z.string() })),
  places: z.array(z.strictObject({ address: z.string(), path: z.string().optional(), numaNode: z.int().optional() })),
  nvidiaModule: z.string().optional(),
  nvidiaLibrary: z.string().optional(),
});
type Scan = z.infer<typeof Scan>;

const NAME = "sysfs";
const TIMEOUT_MS = 3_000;
const RESTART = { firstDelayMs: 1_000, maxDelayMs: 60_000 };
const NOTHING: Scan = { readings: [], pairs: [], places: [] };

export class SysfsSource {
  readonly #worker: WorkerProcess;
  readonly #clock: WorkerParts["clock"];
  #last: Scan = NOTHING;

  /** `root` is `/` on a real machine. */
  constructor(root: string, parts: WorkerParts) {
    const script = fileURLToPath(new URL(`./worker${extname(import.meta.url)}`, import.meta.url));
    this.#worker = new WorkerProcess({ name: NAME, script, args: [root], env: {}, restart: RESTART }, parts);
    this.#clock = parts.clock;
  }

  async read(signal: AbortSignal): Promise<SysfsReading> {
    const begun = this.#clock.monotonic();
    const answer = await this.#worker.request({}, TIMEOUT_MS, signal);
    const scan = answer.ok ? Scan.safeParse(answer.value) : undefined;
    if (scan?.success === true) {
      this.#last = scan.data;
      return reading(scan.data, { name: NAME, state: "ok", tookMs: this.#clock.monotonic() - begun });
    }
    const why = answer.ok ? "The worker answered nonsense." : answer.detail;
    const isLate = !answer.ok && (answer.why === "timeout" || answer.why === "resting");
    const fault = { code: isLate ? "probe-timeout" : "driver-crash", message: why.slice(0, 300), fence: true };
    const state = { name: NAME, state: isLate ? "probe-timeout" : "failed", detail: why.slice(0, 300) } as const;
    return reading(this.#last, state, fault);
  }

  close(): Promise<void> {
    return this.#worker.close();
  }
}

function reading(scan: Scan, state: SourceReading["state"], unlisted?: HealthReason): SysfsReading {
  const { readings, pairs, nvidiaModule, nvidiaLibrary } = scan;
  const places = scan.places.map(({ address, path, numaNode }) => ({ address, path, numaNode }));
  return { state, readings, pairs, places, unlisted, nvidiaModule, nvidiaLibrary };
}
