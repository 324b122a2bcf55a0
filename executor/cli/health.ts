/**
 * `lium-executor gpus incidents` and `gpus clear`: what went wrong with this host's GPUs, and an operator's word that one is fit.
 */
import type { Command } from "commander";

import type { Output, Paint } from "../../common/cli/output.ts";
import { type Column, table } from "../../common/cli/table.ts";
import type { HttpClient } from "../../common/http-client.ts";
import { AppError } from "../../protocol/errors.ts";
import type { GpuIncident } from "../../protocol/gpu-incident.ts";
import type { GpuHealthReport, healthRoutes } from "../../protocol/host-api/health.ts";
import { GpuUuid } from "../../protocol/ids.ts";

type HealthClient = HttpClient<typeof healthRoutes>;

export interface HealthCommands {
  readonly output: Output;
  /** Adds a command with the options that all commands have. */
  readonly add: (parent: Command, name: string, description: string) => Command;
  /** Runs `work` with a client of the executor that the configuration names. */
  readonly withHost: (config: string, work: (host: HealthClient) => Promise<void>) => Promise<void>;
}

interface Options {
  readonly config: string;
  readonly gpu?: string;
  readonly reason: string;
}

export function addHealthCommands(gpus: Command, { output, add, withHost }: HealthCommands): void {
  add(gpus, "incidents", "What went wrong, whose fault it was, what is fenced, and what was done about it")
    .option("--gpu <uuid>", "of this one alone")
    .action(({ config, gpu }: Options) =>
      withHost(config, async (host) => {
        const report = only(await host.gpuHealth({}), gpu);
        output.result(report, (paint) => healthText(report, paint));
      }),
    );
  add(gpus, "clear <uuid>", "Say that a fenced GPU is fit to be rented; what its readings still say fences it again")
    .requiredOption("--reason <text>", "why; it is kept with the date")
    .action((uuid: string, { config, reason }: Options) =>
      withHost(config, async (host) => {
        const gpu = GpuUuid.safeParse(uuid);
        if (!gpu.success) throw new AppError("gpu-unknown", { message: `${uuid} is no UUID of a GPU.` });
        const cleared = await host.clearGpu({ params: { gpu: gpu.data }, body: { reason } });
        output.result(cleared, () => `Cleared: ${cleared.message}`);
      }),
    );
}

function only({ incidents, fences, remedies, ...rest }: GpuHealthReport, gpu: string | undefined): GpuHealthReport {
  return {
    incidents: incidents.filter((one) => gpu === undefined || one.gpu === gpu),
    fences: fences.filter((one) => gpu === undefined || one.gpu === gpu),
    remedies: remedies.filter(({ gpus }) => gpu === undefined || gpus.some((one) => one === gpu)),
    ...rest,
  };
}

function healthText({ incidents, fences, remedies, forbidden }: GpuHealthReport, paint: Paint): string {
  const parts = [
    ...(forbidden === undefined ? [] : [`Nothing but tests is done now: ${forbidden}`]),
    incidents.length === 0 ? "No incidents." : incidentTable(incidents, paint),
    fences.length === 0 ? "No GPU is fenced." : fenceTable(fences, paint),
    ...(remedies.length === 0 ? [] : [remedyTable(remedies, paint)]),
  ];
  return parts.join("\n\n");
}

function incidentTable(incidents: readonly GpuIncident[], paint: Paint): string {
  const columns: Column<GpuIncident>[] = [
    { title: "WHEN", text: ({ openedAt }) => openedAt },
    { title: "GPU", text: ({ gpu }) => gpu },
    { title: "CODE", text: ({ code }) => code },
    { title: "CLASS", text: ({ class: kind }) => kind },
    { title: "TIMES", text: ({ codes }) => String(Object.values(codes).reduce((sum, times) => sum + times, 0)) },
    { title: "POD", text: ({ podId = "-" }) => podId },
    { title: "FAULT", text: ({ fault }) => fault, style: ({ fault }) => (fault === "provider" ? "red" : "yellow") },
  ];
  return table(incidents, columns, paint);
}

type Fence = GpuHealthReport["fences"][number];

function fenceTable(fences: readonly Fence[], paint: Paint): string {
  const columns: Column<Fence>[] = [
    { title: "FENCED SINCE", text: ({ since }) => since },
    { title: "GPU", text: ({ gpu }) => gpu },
    { title: "CODE", text: ({ code }) => code, style: () => "red" },
    { title: "CURE", text: ({ cure }) => cure },
    { title: "TRIES", text: ({ tries }) => String(tries) },
    { title: "WAITS FOR", text: ({ waiting = "-" }) => waiting },
    { title: "WHY", text: ({ message }) => message },
  ];
  return table(fences, columns, paint);
}

function remedyTable(remedies: GpuHealthReport["remedies"], paint: Paint): string {
  const columns: Column<GpuHealthReport["remedies"][number]>[] = [
    { title: "WHEN", text: ({ at }) => at },
    { title: "DONE", text: ({ action, by }) => `${action} by ${by}` },
    { title: "OUTCOME", text: ({ outcome }) => outcome },
    { title: "GPUS", text: ({ gpus }) => gpus.join(", ") },
    { title: "MESSAGE", text: ({ message }) => message },
  ];
  return table(remedies, columns, paint);
}
