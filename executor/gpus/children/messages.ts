/**
 * What a worker process and its parent say to each other.
 */
import { z } from "zod";

export const WorkerRequest = z.strictObject({ id: z.int(), body: z.unknown() });

/** `error`: the worker lives on and could not do it. `event`: nobody asked. */
export const WorkerMessage = z.union([
  z.strictObject({ id: z.int(), value: z.unknown() }),
  z.strictObject({ id: z.int(), error: z.string() }),
  z.strictObject({ event: z.unknown() }),
]);
