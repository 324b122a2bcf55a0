/**
 * What the prover and its worker say to each other. A failure is an answer like any other.
 */
import { z } from "zod";

import { Digest } from "../../protocol/challenge/bytes.ts";
import { GpuResult, Reveal } from "../../protocol/challenge/messages.ts";
import { GpuTask } from "../../protocol/challenge/task.ts";
import { DeviceChoice, OpenClDevice } from "./opencl/devices.ts";

export const ProverRequest = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("devices"), library: z.string() }),
  z.strictObject({
    do: z.literal("open"),
    library: z.string(),
    device: DeviceChoice,
    maxAllocationBytes: z.int().positive().optional(),
  }),
  z.strictObject({ do: z.literal("commit"), task: GpuTask, seed: Digest }),
  z.strictObject({ do: z.literal("answer"), reveal: Reveal, gpu: z.string() }),
]);
export type ProverRequest = z.input<typeof ProverRequest>;

/** Milliseconds by the device's own clock. */
const KernelTimes = z.record(z.string(), z.number());

export const DevicesFound = z.strictObject({ ok: z.literal(true), devices: z.array(OpenClDevice) });
export const Opened = z.strictObject({ ok: z.literal(true), device: OpenClDevice });
export const Committed = z.strictObject({ ok: z.literal(true), roots: z.array(Digest), kernelMs: KernelTimes });
export type Committed = z.infer<typeof Committed>;
export const Answered = z.strictObject({ ok: z.literal(true), result: GpuResult, kernelMs: KernelTimes });
export type Answered = z.infer<typeof Answered>;
