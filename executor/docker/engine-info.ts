/**
 * The engine's answer to `GET /info`, as the words of the port. What an engine leaves out reads as empty, never as fine.
 */
import { z } from "zod";

import type { EngineInfo } from "./runtime.ts";

const Pair = z.tuple([z.string(), z.string()]);

const Info = z.object({
  ServerVersion: z.string().default("unknown"),
  DockerRootDir: z.string().default("/var/lib/docker"),
  Driver: z.string().default(""),
  DriverStatus: z.array(Pair).nullish().catch([]),
  Runtimes: z.record(z.string(), z.unknown()).nullish(),
  DefaultRuntime: z.string().default(""),
  SecurityOptions: z.array(z.string()).nullish(),
  CDISpecDirs: z.array(z.string()).nullish(),
  DiscoveredDevices: z
    .array(z.object({ Source: z.string(), ID: z.string() }))
    .optional()
    .catch(undefined),
  MemoryLimit: z.boolean().default(false),
  CpuCfsQuota: z.boolean().default(false),
  PidsLimit: z.boolean().default(false),
});

/** Throws where the answer is not the engine's. */
export function toEngineInfo(answer: unknown): EngineInfo {
  const info = Info.parse(answer);
  const status = new Map(info.DriverStatus ?? []);
  return {
    version: info.ServerVersion,
    rootDir: info.DockerRootDir,
    storage: {
      driver: info.Driver,
      backingFilesystem: status.get("Backing Filesystem") ?? "",
      rootDir: info.DockerRootDir,
    },
    runtimes: Object.keys(info.Runtimes ?? {}),
    defaultRuntime: info.DefaultRuntime,
    securityOptions: info.SecurityOptions ?? [],
    cdi: {
      specDirs: info.CDISpecDirs ?? [],
      ...(info.DiscoveredDevices === undefined ? {} : { devices: cdiDevices(info.DiscoveredDevices) }),
    },
    limits: { memory: info.MemoryLimit, cpu: info.CpuCfsQuota, pids: info.PidsLimit },
  };
}

function cdiDevices(found: readonly { readonly Source: string; readonly ID: string }[]): string[] {
  return found.flatMap(({ Source, ID }) => (Source === "cdi" ? [ID] : []));
}
