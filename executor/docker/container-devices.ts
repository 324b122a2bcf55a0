/**
 * What an inspected container was given of the host's devices, as the words of the port. What cannot be read counts as a
 * request for all.
 */
import { z } from "zod";

import type { ContainerDevices } from "./runtime.ts";

const EVERYTHING = { Driver: "unreadable", DeviceIDs: [], Count: -1, Capabilities: [["gpu"]] };

const Request = z
  .object({
    Driver: z.string().nullish(),
    DeviceIDs: z.array(z.string()).nullish(),
    Count: z.number().nullish(),
    Capabilities: z.array(z.array(z.string())).nullish(),
  })
  .catch(EVERYTHING);

const Inspected = z.object({
  HostConfig: z.object({
    Runtime: z.string().nullish(),
    DeviceRequests: z.array(Request).nullish().catch([EVERYTHING]),
    Devices: z.array(z.object({ PathOnHost: z.string() })).nullish(),
  }),
  Config: z.object({ Env: z.array(z.string()).nullish() }),
});

const UNREADABLE = { HostConfig: { Runtime: "", DeviceRequests: [EVERYTHING], Devices: [] }, Config: { Env: [] } };

export function toDevices(answer: unknown): ContainerDevices {
  const { data: { HostConfig, Config } = UNREADABLE } = Inspected.safeParse(answer);
  return {
    requests: (HostConfig.DeviceRequests ?? []).map(({ Driver, DeviceIDs, Count, Capabilities }) => ({
      driver: Driver ?? "",
      ids: DeviceIDs ?? [],
      count: Count ?? 0,
      capabilities: Capabilities ?? [],
    })),
    files: (HostConfig.Devices ?? []).map(({ PathOnHost }) => PathOnHost),
    runtime: HostConfig.Runtime ?? "",
    env: Object.fromEntries((Config.Env ?? []).map(splitVariable)),
  };
}

function splitVariable(entry: string): [string, string] {
  const at = entry.indexOf("=");
  return at < 0 ? [entry, ""] : [entry.slice(0, at), entry.slice(at + 1)];
}
