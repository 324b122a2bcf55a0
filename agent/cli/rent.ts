/**
 * From the options of `as-validator rent` to a request: keys are read, durations become instants, secrets are sealed to one host.
 */
import { readFile } from "node:fs/promises";

import type { CliHost } from "../../common/cli/output.ts";
import { seal } from "../../common/sealed-box.ts";
import type { Capacity, Offer } from "../../protocol/capacity.ts";
import { AppError } from "../../protocol/errors.ts";
import type { PodSpecInput } from "../../protocol/pod.ts";
import type { Assignment } from "./arguments.ts";
import type { ValidatorClient } from "./validator-client.ts";

export interface RentOptions {
  readonly image: string;
  readonly gpus?: number;
  readonly gpuModel?: string;
  readonly cpus?: number;
  /** Bytes. */
  readonly memory?: number;
  readonly shm?: number;
  readonly disk?: number;
  readonly port?: PodSpecInput["ports"];
  readonly env?: readonly Assignment[];
  readonly secretEnv?: readonly Assignment[];
  readonly sshKey: readonly string[];
  readonly volume?: PodSpecInput["volume"];
  readonly entrypoint?: string[];
  readonly readOnly?: boolean;
  /** Milliseconds. */
  readonly lease: number;
  readonly grace?: number;
  readonly host?: string;
}

type RentRequest = Parameters<ValidatorClient["createPod"]>[0]["body"];

/** Throws `invalid-request` for what cannot be read, `no-capacity` when secrets find no host to be sealed to. */
export async function rentRequest(
  options: RentOptions,
  command: string[],
  { host, client }: { readonly host: CliHost; readonly client: ValidatorClient },
): Promise<RentRequest> {
  const { secretEnv = [] } = options;
  const spec: PodSpecInput = {
    image: options.image,
    entrypoint: options.entrypoint,
    command: command.length === 0 ? undefined : command,
    env: environment(options.env ?? [], host.env),
    gpus: { count: options.gpus, model: options.gpuModel },
    cpus: options.cpus,
    memoryBytes: options.memory,
    shmBytes: options.shm,
    diskBytes: options.disk,
    readOnlyRoot: options.readOnly,
    ports: options.port,
    volume: options.volume,
    sshKeys: (await Promise.all(options.sshKey.map(readKeys))).flat(),
    lease: leaseOf(options, host.clock.now()),
  };
  if (secretEnv.length === 0) return { spec, hostId: options.host };
  const secrets = Buffer.from(JSON.stringify(environment(secretEnv, host.env)));
  const { hostId, sealingKey } = chooseOffer(await client.capacity({}), options);
  return { spec: { ...spec, sealedEnv: seal(secrets, sealingKey) }, hostId };
}

export function leaseOf(
  { lease, grace }: Pick<RentOptions, "lease" | "grace">,
  nowMs: number,
): { expiresAt: string; graceSeconds?: number | undefined } {
  return {
    expiresAt: new Date(nowMs + lease).toISOString(),
    graceSeconds: grace === undefined ? undefined : Math.round(grace / 1000),
  };
}

/** The lines of a public key file that hold a key. Throws `invalid-request`. */
export async function readKeys(path: string): Promise<string[]> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new AppError("invalid-request", { message: `The key file ${path} cannot be read.`, cause });
  });
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** A name without a value takes it from our own environment. */
function environment(assignments: readonly Assignment[], own: CliHost["env"]): Record<string, string> {
  return Object.fromEntries(
    assignments.map(({ name, value }) => {
      const text = value ?? own[name];
      if (text === undefined) throw new AppError("invalid-request", { message: `${name} is not set here.` });
      return [name, text];
    }),
  );
}

/** A secret is sealed to one host, so the host is chosen here and not by the agent: the one asked for, or the first that fits. */
function chooseOffer({ offers }: Capacity, options: RentOptions): Offer {
  const offer = offers.find((one) => (options.host === undefined ? fits(one, options) : one.hostId === options.host));
  if (offer === undefined) throw new AppError("no-capacity");
  return offer;
}

function fits({ free, gpus }: Offer, { gpus: count = 0, gpuModel = "", cpus = 0, memory = 0, disk = 0 }: RentOptions) {
  const model = gpuModel.toLowerCase();
  const usable = gpus.filter((gpu) => gpu.free && gpu.model.toLowerCase().includes(model));
  return usable.length >= count && free.cpus >= cpus && free.memoryBytes >= memory && free.diskBytes >= disk;
}
