/**
 * What the executor and the process that tests a GPU say to each other.
 */
import { z } from "zod";

import { Failure } from "../../../challenges/failure.ts";
import { DeviceChoice } from "../../../challenges/opencl/devices.ts";

export const TrialRequest = z.strictObject({ library: z.string(), device: DeviceChoice });

/** `right`: what the device computed is what it had to be. */
export const TrialAnswer = z.union([
  z.strictObject({ ok: z.literal(true), right: z.boolean(), message: z.string() }),
  Failure,
]);
