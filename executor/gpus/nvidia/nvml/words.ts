/**
 * What the executor and the worker that holds NVIDIA's library say to each other. The worker may be broken in any way, so
 * what it says is checked like anything from outside.
 */
import { z } from "zod";

import { soundReading } from "../../sound.ts";

export const NvmlRequest = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("open"), libraries: z.array(z.string()) }),
  z.strictObject({ do: z.literal("devices") }),
  /** All in one message: what goes between the processes costs more than reading a device. */
  z.strictObject({
    do: z.literal("read"),
    devices: z.array(z.strictObject({ index: z.int(), depth: z.enum(["quick", "full"]) })),
  }),
]);
export type NvmlRequest = z.infer<typeof NvmlRequest>;

/** What the worker's first thread asks of those that call the library. */
export const CallerRequest = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("open"), libraries: z.array(z.string()), events: z.boolean() }),
  z.strictObject({ do: z.literal("devices") }),
  z.strictObject({ do: z.literal("read"), index: z.int(), depth: z.enum(["quick", "full"]) }),
]);
export type CallerRequest = z.infer<typeof CallerRequest>;

export const NvmlOpened = z.union([
  /** `missing`: what this driver's library does not have of what we would use. */
  z.strictObject({ driver: z.string(), missing: z.array(z.string()) }),
  z.strictObject({ absent: z.string() }),
]);

/** How many there are, by their indices: some may not answer. */
export const NvmlDevices = z.strictObject({ count: z.int().nonnegative() });

function refuse(context: z.core.$RefinementCtx): never {
  context.addIssue("It is no reading of a device.");
  return z.NEVER;
}

/** `late`: it did not answer yet, for so many milliseconds; `nameless`: neither UUID nor place could be read. */
export const NvmlRead = z.union([
  z.strictObject({ reading: z.unknown().transform((reading, context) => soundReading(reading) ?? refuse(context)) }),
  z.strictObject({ late: z.number() }),
  z.strictObject({ nameless: z.string() }),
]);
export type NvmlRead = z.infer<typeof NvmlRead>;

/** In the order in which they were asked for. */
export const NvmlReads = z.array(NvmlRead);

/** What the driver told unasked: an Xid, or a change of the device. `data` is the Xid's number. */
export const NvmlEvent = z.strictObject({
  uuid: z.string(),
  kind: z.enum(["xid", "ecc-single", "ecc-double", "mig-changed", "unavailable", "recovery-action", "other"]),
  data: z.int().nonnegative(),
  /** Undefined where it is about the whole device. */
  gpuInstance: z.int().optional(),
});
export type NvmlEvent = z.infer<typeof NvmlEvent>;
