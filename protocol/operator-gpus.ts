/**
 * What an operator sees of the fleet's accelerators: all in short, or one whole.
 */
import { z } from "zod";

import { Accelerator, GpuPair } from "./accelerator.ts";
import { GpuHolder } from "./gpu-report.ts";
import { GpuUuid, HostId, Instant, PodId } from "./ids.ts";
import { route } from "./route.ts";
import { Nothing } from "./validator-api.ts";

const told = {
  hostId: HostId,
  hostName: z.string(),
  /** Whether the host is connected; else this is what it told last. */
  live: z.boolean(),
  /** When the host looked, by its clock. */
  readAt: Instant,
};

export const GpuSummary = Accelerator.pick({
  uuid: true,
  vendor: true,
  model: true,
  pciAddress: true,
  memory: true,
  utilisation: true,
  temperature: true,
  power: true,
  health: true,
  simulated: true,
}).extend({
  ...told,
  /** Which have it, or a part of it. */
  pods: z.array(PodId),
  /** The parts that it is cut into. */
  parts: z.array(GpuUuid),
});
export type GpuSummary = z.infer<typeof GpuSummary>;

export const GpuDetails = z.strictObject({
  ...told,
  gpu: Accelerator,
  /** Of it and of its parts. */
  holders: z.array(GpuHolder),
  /** The ways to the other devices of its host. */
  pairs: z.array(GpuPair),
});
export type GpuDetails = z.infer<typeof GpuDetails>;

/** Whether GPUs failed on so many hosts that none of them may reset or boot anything by itself. */
export const BreakerView = z.strictObject({
  tripped: z.boolean(),
  since: Instant.optional(),
  /** Whose GPUs failed when it tripped. */
  hosts: z.array(HostId).optional(),
});
export type BreakerView = z.infer<typeof BreakerView>;

const open = {
  auth: "open",
  answer: "json",
  params: Nothing,
  query: Nothing,
  body: Nothing,
  status: 200,
  response: BreakerView,
  errors: [],
} as const;

export const breakerApi = {
  gpuBreaker: route({
    ...open,
    method: "GET",
    path: "/gpus/breaker",
    summary: "Whether hosts may reset GPUs and boot by themselves",
  }),
  resumeRemedies: route({
    ...open,
    method: "POST",
    path: "/gpus/breaker/resume",
    summary: "Lets hosts reset GPUs and boot by themselves again",
  }),
} as const;
