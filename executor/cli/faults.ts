/**
 * `lium-executor faults`: faults of made-up GPUs, and kernel messages about them, for development.
 */
import type { Command } from "commander";

import type { Output, Paint } from "../../common/cli/output.ts";
import { table } from "../../common/cli/table.ts";
import type { HttpClient } from "../../common/http-client.ts";
import { AppError } from "../../protocol/errors.ts";
import type { faultRoutes, GpuFault, GpuFaults } from "../../protocol/host-api/faults.ts";
import { GpuUuid } from "../../protocol/ids.ts";

type FaultsClient = HttpClient<typeof faultRoutes>;

export interface FaultsCommands {
  readonly output: Output;
  /** Adds a command with the options that all commands have. */
  readonly add: (parent: Command, name: string, description: string) => Command;
  /** Runs `work` with a client of the executor that the configuration names. */
  readonly withHost: (config: string, work: (host: FaultsClient) => Promise<void>) => Promise<void>;
}

interface Options {
  readonly config: string;
  readonly gpu?: string;
  readonly code?: string;
  readonly message: string;
  readonly fence: boolean;
  readonly kernel?: string;
}

export function addFaultsCommands(program: Command, { output, add, withHost }: FaultsCommands): void {
  const print = (faults: GpuFaults): void => output.result(faults, (paint) => faultsText(faults, paint));
  const faults = program.command("faults").description("Faults of made-up GPUs, for development; refused on real ones");
  add(faults, "list", "The faults that were ordered and not taken away").action(({ config }: Options) =>
    withHost(config, async (host) => print(await host.listFaults({}))),
  );
  add(faults, "inject", "Make a GPU sick (--gpu and --code), or say what the kernel would say (--kernel)")
    .option("--gpu <uuid>", "which")
    .option("--code <code>", "such as lost, missing, reset-required, probe-timeout, rows-pending")
    .option("--message <text>", "what is said of it", "It was ordered.")
    .option("--no-fence", "only a word of caution: it stays on offer")
    .option("--kernel <line>", "a line of the kernel's log, such as `NVRM: Xid (PCI:0000:17:00): 79, ...`")
    .action((options: Options) => withHost(options.config, async (host) => print(await inject(options, host))));
  add(faults, "clear", "Take faults away: all, or those of one GPU, or one of them")
    .option("--gpu <uuid>", "of this one alone")
    .option("--code <code>", "this fault alone")
    .action(({ config, gpu, code }: Options) =>
      withHost(config, async (host) => {
        const query = { ...(gpu === undefined ? {} : { gpu: uuidOf(gpu) }), ...(code === undefined ? {} : { code }) };
        print(await host.clearFaults({ query }));
      }),
    );
}

async function inject({ gpu, code, message, fence, kernel }: Options, host: FaultsClient): Promise<GpuFaults> {
  if (kernel !== undefined) return host.injectKernelLine({ body: { line: kernel } });
  if (gpu === undefined || code === undefined) {
    throw new AppError("invalid-request", { message: "Name a GPU and a code, or a line of the kernel." });
  }
  return host.injectFault({ body: { gpu: uuidOf(gpu), code, message, fence } });
}

function uuidOf(text: string): GpuUuid {
  const gpu = GpuUuid.safeParse(text);
  if (!gpu.success) throw new AppError("gpu-unknown", { message: `${text} is no UUID of a GPU.` });
  return gpu.data;
}

function faultsText({ faults }: GpuFaults, paint: Paint): string {
  if (faults.length === 0) return "No fault is ordered.";
  return table<GpuFault>(
    faults,
    [
      { title: "GPU", text: ({ gpu }) => gpu },
      { title: "CODE", text: ({ code }) => code, style: ({ fence }) => (fence ? "red" : "yellow") },
      { title: "MESSAGE", text: ({ message }) => message },
    ],
    paint,
  );
}
