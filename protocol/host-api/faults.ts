/**
 * The host API's words about faults that developers order: of GPUs that are made up, and lines as if the kernel had said them.
 */
import { z } from "zod";

import { HealthReason } from "../accelerator.ts";
import { GpuUuid } from "../ids.ts";
import { route } from "../route.ts";
import { Nothing } from "../validator-api.ts";

export const GpuFault = z.strictObject({ gpu: GpuUuid, ...HealthReason.shape });
export type GpuFault = z.infer<typeof GpuFault>;

export const GpuFaults = z.strictObject({ faults: z.array(GpuFault) });
export type GpuFaults = z.infer<typeof GpuFaults>;

const common = {
  auth: "open",
  answer: "json",
  params: Nothing,
  status: 200,
  response: GpuFaults,
  errors: ["faults-refused", "gpu-not-found"],
} as const;

export const faultRoutes = {
  listFaults: route({
    ...common,
    method: "GET",
    path: "/gpus/faults",
    summary: "The faults that were ordered and not taken away",
    query: Nothing,
    body: Nothing,
  }),
  injectFault: route({
    ...common,
    method: "POST",
    path: "/gpus/faults",
    summary: "Makes a made-up GPU sick",
    query: Nothing,
    body: GpuFault,
  }),
  clearFaults: route({
    ...common,
    method: "DELETE",
    path: "/gpus/faults",
    summary: "Takes faults away: all, those of one GPU, or one",
    query: z.strictObject({ gpu: GpuUuid.optional(), code: z.string().optional() }),
    body: Nothing,
  }),
  injectKernelLine: route({
    ...common,
    method: "POST",
    path: "/gpus/faults/kernel",
    summary: "Adds a line to the log that stands for the kernel's where GPUs are made up",
    query: Nothing,
    body: z.strictObject({
      line: z
        .string()
        .min(1)
        .max(1_000)
        .regex(/^[^\n\r]*$/),
    }),
  }),
};
