/**
 * Remedies on this machine: a test through OpenCL, resets by the vendors' tools, a boot by systemd. Nothing from outside is in
 * a command but a device's own UUID or address.
 */
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

import type { Accelerator } from "../../../protocol/accelerator.ts";
import { AppError } from "../../../protocol/errors.ts";
import { runTool, type ToolRun } from "../children/tool.ts";
import { type WorkerParts, WorkerProcess } from "../children/worker-process.ts";
import { isUnavailable, knownOr } from "../known.ts";
import type { Remedies, Verdict } from "./remedies.ts";
import { TrialAnswer } from "./trial/words.ts";

export interface LiveRemediesOptions {
  /** Vendors' tools by their names; the names themselves when left out. */
  readonly tools?: Readonly<Record<string, string>>;
  /** The machine's OpenCL. */
  readonly openCl?: string;
  /** Further environment of the test. */
  readonly env?: Readonly<Record<string, string>>;
  /** For tests: what plays the device. */
  readonly device?: { readonly index: number; readonly allowCpu: true };
}

const LIBRARY = "libOpenCL.so.1";
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/rocm/bin";
/** To compile the kernels, to fill the memory, and to walk over it. */
const TRIAL_MS = 10 * 60_000;
const RESET_MS = 120_000;
const NO_REST = { firstDelayMs: 0, maxDelayMs: 0 };
/** Nothing on this machine can test the device, which says nothing of the device. */
const UNTESTED: ReadonlySet<string> = new Set(["no-library", "no-platform", "no-device", "unsupported"]);

export function liveRemedies(options: LiveRemediesOptions, parts: WorkerParts): Remedies {
  return {
    validate: (gpu, signal) => validate(gpu, options, parts, signal),
    reset: async (gpu, signal) => {
      const run = resetOf(gpu, options.tools ?? {});
      const outcome = await runTool(run, parts.doomed, signal);
      if (outcome.ok && outcome.exitCode === 0) return;
      const said = outcome.ok ? lastLine(`${outcome.stdout}\n${outcome.stderr}`) : outcome.detail;
      throw new AppError("gpu-not-reset", { message: `${run.file} ${run.args.join(" ")}: ${said}` });
    },
    reboot: async (signal) => {
      const outcome = await runTool({ file: "systemctl", args: ["reboot"], timeoutMs: RESET_MS }, parts.doomed, signal);
      if (!outcome.ok || outcome.exitCode !== 0) {
        throw new AppError("command-failed", { message: "The machine could not be asked to boot." });
      }
    },
  };
}

async function validate(
  gpu: Accelerator,
  { openCl = LIBRARY, env = {}, device }: LiveRemediesOptions,
  parts: WorkerParts,
  signal: AbortSignal,
): Promise<Verdict> {
  if (gpu.simulated) return { result: "passed", message: "It is made up, and so is the test." };
  const untested = untestable(gpu);
  if (untested !== undefined) return { result: "untested", message: untested };
  const script = fileURLToPath(new URL(`./trial/worker${extname(import.meta.url)}`, import.meta.url));
  const worker = new WorkerProcess(
    { name: "trial", script, args: [], env: { PATH, LC_ALL: "C", ...env }, restart: NO_REST },
    parts,
  );
  try {
    const choice = device ?? { pciAddress: knownOr(gpu.pciAddress, "") };
    const answer = await worker.request({ library: openCl, device: choice }, TRIAL_MS, signal);
    if (!answer.ok) return { result: "failed", message: `The test did not end well: ${answer.detail}` };
    const said = TrialAnswer.parse(answer.value);
    if (said.ok) return { result: said.right ? "passed" : "failed", message: said.message };
    return { result: UNTESTED.has(said.code) ? "untested" : "failed", message: `${said.code}: ${said.detail}` };
  } finally {
    await worker.close();
  }
}

/** A device that is cut is tested part by part by whoever rents the parts; OpenCL shows them under other names. */
function untestable({ partitions, pciAddress }: Accelerator): string | undefined {
  if (partitions.length > 0) return "It is cut into parts, which OpenCL does not tell apart.";
  return isUnavailable(pciAddress) ? "Nobody knows its place on the bus." : undefined;
}

function resetOf({ vendor, uuid, pciAddress, index }: Accelerator, tools: Readonly<Record<string, string>>): ToolRun {
  const tool = (name: string, ...args: string[]): ToolRun => ({ file: tools[name] ?? name, args, timeoutMs: RESET_MS });
  const place = knownOr(pciAddress, "");
  switch (vendor) {
    case "nvidia":
      return tool("nvidia-smi", "--gpu-reset", "-i", uuid.startsWith("GPU-") ? uuid : place);
    case "amd":
      return tool("amd-smi", "reset", "--gpureset", "--gpu", isUnavailable(index) ? place : String(index));
    case "intel":
      return tool("xpu-smi", "config", "--device", place, "--reset");
  }
}

function lastLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.findLast((line) => line !== "") ?? "It said nothing.";
}
