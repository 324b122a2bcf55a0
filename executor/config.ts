/**
 * The schema of executor.toml, with a default for every key.
 */
import { join } from "node:path";

import { z } from "zod";

import { loadConfig } from "../common/config-file.ts";
import { GpusConfig } from "./gpus/config.ts";
import { ImagesConfig } from "./images/config.ts";
import { IsolationConfig } from "./isolation/config.ts";
import { MeteringConfig } from "./metering/config.ts";
import type { PortRange } from "./pods/ports.ts";
import { StorageConfig } from "./storage/config.ts";
import { StraysConfig } from "./strays/config.ts";

const Port = z.int().min(1).max(65_535);
const GIB = 2 ** 30;

export const ExecutorConfig = z.strictObject({
  /** The name that operators see; the machine's own when left out. */
  name: z.string().min(1).max(128).optional(),
  stateDir: z.string().default("/var/lib/lium-executor"),
  /** Must lie in memory (tmpfs): secrets of pods are kept here in clear while the pods exist. */
  runDir: z.string().default("/run/lium-executor"),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
  docker: z.strictObject({ socketPath: z.string().default("/var/run/docker.sock") }).prefault({}),
  network: z
    .strictObject({
      /** The address that renters are told; guessed when left out. */
      publicAddress: z.string().optional(),
      /** The local address that pods' ports are published on. */
      bindAddress: z.ipv4().default("0.0.0.0"),
      /** Ports for pods, each range with its number outside when a router maps it. */
      ports: z
        .array(z.strictObject({ internal: Port, external: Port.optional(), count: z.int().min(1).max(65_535) }))
        .min(1)
        .default([{ internal: 40_000, count: 2_000 }]),
    })
    .prefault({}),
  isolation: IsolationConfig.prefault({}),
  gpus: GpusConfig.prefault({}),
  challenges: z
    .strictObject({
      /** For development: GPUs that are made up prove on this machine's processor what they are asked. */
      onProcessor: z.boolean().default(false),
    })
    .prefault({}),
  images: ImagesConfig.prefault({}),
  strays: StraysConfig,
  metering: MeteringConfig.prefault({}),
  storage: StorageConfig.prefault({}),
  /** What pods never get. */
  reserve: z
    .strictObject({
      cpus: z.number().min(0).default(0),
      memoryBytes: z.int().min(0).default(GIB),
      diskBytes: z
        .int()
        .min(0)
        .default(10 * GIB),
    })
    .prefault({}),
  pods: z
    .strictObject({
      /** How long SSH may take to come up after a start. */
      probeSeconds: z.number().positive().default(20),
      /** How often a pod's SSH is tried while it runs. */
      probeEverySeconds: z.number().positive().max(40).default(20),
      /** Restarts of a main process that keeps ending: the first wait, doubled each time up to the longest. */
      restartFirstSeconds: z.number().positive().default(5),
      restartLongestSeconds: z.number().positive().default(300),
      stopGraceSeconds: z.int().min(0).max(600).default(10),
      resyncSeconds: z.number().positive().default(15),
    })
    .prefault({}),
});
export type ExecutorConfig = z.infer<typeof ExecutorConfig>;

/** Where the executor that runs takes its operator's commands. */
export function controlSocket({ runDir }: Pick<ExecutorConfig, "runDir">): string {
  return join(runDir, "control.sock");
}

export function portRanges(config: ExecutorConfig): PortRange[] {
  return config.network.ports.map(({ internal, external, count }) => ({
    internal,
    external: external ?? internal,
    count,
  }));
}

/** Reads the file, if there is one, and the LIUM_EXECUTOR_ variables. Throws `config-invalid`. */
export function loadExecutorConfig(file: string): Promise<ExecutorConfig> {
  const schema = ExecutorConfig;
  return loadConfig({
    file,
    optional: true,
    schema,
    envPrefix: "LIUM_EXECUTOR_",
    otherVariables: ["LIUM_EXECUTOR_CONFIG"],
  });
}
