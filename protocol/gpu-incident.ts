/**
 * What went wrong with a GPU, when, who had it then and whose fault it was; and what keeps it from being rented since.
 */
import { z } from "zod";

import { GpuUuid, Instant, PodId } from "./ids.ts";

const Code = z
  .string()
  .regex(/^[a-z0-9-]+$/)
  .max(60);

/** A burst of errors of one GPU, during one pod's time with it. */
export const GpuIncident = z.strictObject({
  id: z.string().max(60),
  gpu: GpuUuid,
  /** When the first and the last error of the burst happened. */
  openedAt: Instant,
  lastAt: Instant,
  /** Of the worst of them that is no consequence of another. */
  code: Code,
  class: z.enum(["application", "memory", "reset", "reboot", "fabric", "inspect", "watch", "info"]),
  /** How often each code came. */
  codes: z.record(Code, z.int().positive()),
  /** The pod that had the GPU then; absent when none had. */
  podId: PodId.optional(),
  /** `renter`: a program of theirs; `provider`: this host's hardware or drivers; `unknown`: nobody can tell. */
  fault: z.enum(["renter", "provider", "unknown"]),
  /** What was said, the first few lines. */
  evidence: z.array(z.string().max(400)).max(5),
});
export type GpuIncident = z.infer<typeof GpuIncident>;

/** What makes a fenced GPU fit for rent again: a test alone, after a reset or a boot, or only an operator's word. */
export const Cure = z.enum(["validate", "reset", "reboot", "operator"]);
export type Cure = z.infer<typeof Cure>;

export const GpuFence = z.strictObject({
  gpu: GpuUuid,
  code: Code,
  message: z.string().max(400),
  cure: Cure,
  /** Whether whoever has the GPU cannot use it. */
  breaks: z.boolean(),
  since: Instant,
  /** The machine's boot in which it was put up. */
  bootId: z.string().max(60),
  incident: z.string().max(60).optional(),
  /** How often its cure was tried in vain, and what came of the last time. */
  tries: z.int().min(0),
  last: z.string().max(400).optional(),
});
export type GpuFence = z.infer<typeof GpuFence>;

/** Something that was done about a GPU: by rule, or by an operator. */
export const GpuRemedy = z.strictObject({
  at: Instant,
  action: z.enum(["validate", "reset", "reboot", "clear"]),
  gpus: z.array(GpuUuid),
  by: z.enum(["rule", "operator"]),
  /** `untested`: nothing on the machine could test the device, so the driver's word was taken. */
  outcome: z.enum(["done", "failed", "begun", "untested"]),
  message: z.string().max(400),
});
export type GpuRemedy = z.infer<typeof GpuRemedy>;
