/**
 * The port to what cuts GPUs, and nvidia-smi behind it: argument lists, a deadline for each run, GPUs by their UUIDs.
 * A run that fails throws `gpu-not-cut` with what the tool said; what it did until then stays.
 */
import { AppError } from "../../../protocol/errors.ts";
import type { GpuUuid } from "../../../protocol/ids.ts";
import type { DoomedChildren } from "../children/doomed.ts";
import { runTool } from "../children/tool.ts";
import type { MigGrid } from "./grid.ts";
import type { Placed } from "./place.ts";
import type { Instance, MigMode } from "./plan.ts";
import { parseGrid, parseInstances, parseMode } from "./smi-text.ts";

export interface MigReading {
  readonly mode: MigMode;
  /** Undefined where the driver does not say, as it does not before it is in MIG mode. */
  readonly grid: MigGrid | undefined;
  readonly present: readonly Instance[];
}

export interface MigDriver {
  read(device: GpuUuid, signal: AbortSignal): Promise<MigReading>;
  enable(device: GpuUuid, signal: AbortSignal): Promise<void>;
  /** With all that runs in them: only for a GPU that is idle. */
  destroy(device: GpuUuid, instances: readonly number[], signal: AbortSignal): Promise<void>;
  create(device: GpuUuid, placed: readonly Placed[], signal: AbortSignal): Promise<void>;
}

export interface SmiMigOptions {
  readonly file: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Of one run; some reset the GPU. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 60_000;
/** nvidia-smi's exit status for a list that is empty. */
const NOT_FOUND = 6;

export function smiMigDriver(options: SmiMigOptions, doomed: DoomedChildren): MigDriver {
  const { file, env, timeoutMs = TIMEOUT_MS } = options;
  const run = async (args: readonly string[], signal: AbortSignal): Promise<string> => {
    const tool = { file, args, timeoutMs, ...(env === undefined ? {} : { env }) };
    const outcome = await runTool(tool, doomed, signal);
    if (!outcome.ok) throw failed(args, outcome.detail);
    const { exitCode, stdout, stderr } = outcome;
    if (exitCode === 0) return stdout;
    const isEmptyList = exitCode === NOT_FOUND && args.includes("-lgi");
    if (isEmptyList) return "";
    throw failed(args, lastLine(`${stdout}\n${stderr}`) ?? `It exited with status ${exitCode}.`);
  };
  const mig = (device: GpuUuid, args: readonly string[], signal: AbortSignal): Promise<string> =>
    run(["mig", "-i", device, ...args], signal);
  return {
    read: async (device, signal) => {
      const query = ["-i", device, "--query-gpu=mig.mode.current,mig.mode.pending", "--format=csv,noheader"];
      const mode = parseMode(await run(query, signal));
      if (mode !== "on") return { mode, grid: undefined, present: [] };
      const [profiles, places] = [await mig(device, ["-lgip"], signal), await mig(device, ["-lgipp"], signal)];
      return { mode, grid: parseGrid(profiles, places), present: parseInstances(await mig(device, ["-lgi"], signal)) };
    },
    enable: async (device, signal) => {
      await run(["-i", device, "-mig", "1"], signal);
    },
    destroy: async (device, instances, signal) => {
      if (instances.length === 0) return;
      await mig(device, ["-dci", "-gi", instances.join(",")], signal);
      await mig(device, ["-dgi", "-gi", instances.join(",")], signal);
    },
    create: async (device, placed, signal) => {
      if (placed.length === 0) return;
      const wanted = placed.map(({ profile, start }) => `${profile}:${start}`);
      await mig(device, ["-cgi", wanted.join(","), "-C"], signal);
    },
  };
}

function failed(args: readonly string[], why: string): AppError {
  return new AppError("gpu-not-cut", { message: `nvidia-smi ${args.join(" ")}: ${why}` });
}

function lastLine(text: string): string | undefined {
  return text
    .split("\n")
    .map((line) => line.trim())
    .findLast((line) => line !== "");
}
