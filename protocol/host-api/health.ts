/**
 * The host API's words about the health of GPUs: what happened, what keeps them from being rented, and what was done.
 */
import { z } from "zod";

import { GpuFence, GpuIncident, GpuRemedy } from "../gpu-incident.ts";
import { GpuUuid } from "../ids.ts";
import { route } from "../route.ts";
import { Nothing } from "../validator-api.ts";

export const GpuHealthReport = z.strictObject({
  /** The newest last, as in all of these. */
  incidents: z.array(GpuIncident),
  /** `waiting`: what has to happen before its cure is tried. */
  fences: z.array(z.strictObject({ ...GpuFence.shape, waiting: z.string().optional() })),
  remedies: z.array(GpuRemedy),
  /** Why nothing but tests is done now. */
  forbidden: z.string().optional(),
});
export type GpuHealthReport = z.infer<typeof GpuHealthReport>;

const common = { auth: "open", answer: "json", query: Nothing, status: 200 } as const;

export const healthRoutes = {
  gpuHealth: route({
    ...common,
    method: "GET",
    path: "/gpus/health",
    summary: "Incidents of this host's GPUs, their fences, and what was done about them",
    params: Nothing,
    body: Nothing,
    response: GpuHealthReport,
    errors: [],
  }),
  clearGpu: route({
    ...common,
    method: "POST",
    path: "/gpus/{gpu}/clear",
    summary:
      "Takes a GPU's fences down by an operator's word, which is kept; what its readings still say fences it again",
    params: z.strictObject({ gpu: GpuUuid }),
    body: z.strictObject({ reason: z.string().min(1).max(300) }),
    response: GpuRemedy,
    errors: ["gpu-not-fenced"],
  }),
};
