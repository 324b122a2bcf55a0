/**
 * A pod on the real engine with GPUs, made by the steps of the executor: without a network of its own, and with a host whose
 * accelerators a test makes up. `remove` takes its container and files away.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import Docker from "dockerode";

import { systemClock } from "../../../common/clock.ts";
import { exec, type ExecResult } from "../../../common/exec.ts";
import { newPodId } from "../../../common/new-id.ts";
import { generateSealingKey } from "../../../common/sealed-box.ts";
import { createDockerRuntime } from "../../../executor/docker/dockerode-runtime.ts";
import { containerName } from "../../../executor/docker/labels.ts";
import { Passthrough } from "../../../executor/gpus/passthrough/passthrough.ts";
import { readSetup } from "../../../executor/gpus/passthrough/read-setup.ts";
import type { StepDeps, Turn } from "../../../executor/pods/step-deps.ts";
import { ACTIONS } from "../../../executor/pods/steps.ts";
import { buildPodKit } from "../../../executor/ssh/pod-kit.ts";
import type { Accelerator } from "../../../protocol/accelerator.ts";
import type { GpuUuid } from "../../../protocol/ids.ts";
import type { PodSpecInput } from "../../../protocol/pod.ts";
import { podRecord, podSpec, wantedPod } from "../builders.ts";
import { FakeIsolation } from "../fake-isolation.ts";
import { FakeVolumes } from "../fake-volumes.ts";
import { loggerToMemory } from "../memory-log.ts";
import { inventoryOf } from "./giving.ts";

const SOCKET = "/var/run/docker.sock";
const COMMAND_MS = 60_000;
const ANY_EXIT = Array.from({ length: 256 }, (_, code) => code);
const BUSYBOX = "/.lium/k/bin/busybox";

/** What hands these accelerators over; specifications and device files are looked for below `root`. */
export function passthroughOf(gpus: readonly Accelerator[], root: string): Passthrough {
  const runtime = createDockerRuntime({ socketPath: SOCKET });
  return new Passthrough({
    inventory: inventoryOf(gpus),
    readSetup: (seen, signal) =>
      readSetup(
        seen,
        { root, podRuntime: undefined },
        { engine: (within) => runtime.info(within), toolkitVersion: async () => undefined },
        signal,
      ),
    clock: systemClock(),
    log: loggerToMemory().log,
  });
}

export interface GivenPodInput {
  readonly image: string;
  readonly gpus: readonly GpuUuid[];
  readonly passthrough: Pick<Passthrough, "give">;
  readonly spec?: Partial<PodSpecInput>;
}

export class GivenPod {
  readonly #dir = mkdtempSync(join(tmpdir(), "lium-given-"));
  readonly #runtime = createDockerRuntime({ socketPath: SOCKET });
  readonly #input: GivenPodInput;
  readonly name: string;
  #turn: Turn;

  constructor(input: GivenPodInput) {
    this.#input = input;
    const podId = newPodId();
    this.name = containerName(podId);
    const gpus = { count: input.gpus.length };
    const spec = podSpec({ command: [BUSYBOX, "sleep", "3600"], memoryBytes: 2 ** 27, gpus, ...input.spec });
    const record = podRecord({ wanted: wantedPod({ podId, gpus: [...input.gpus], spec }) });
    this.#turn = {
      record,
      seen: { container: undefined, image: undefined, keys: undefined, hostKey: undefined },
      ssh: undefined,
    };
  }

  get turn(): Turn {
    return this.#turn;
  }

  /** The steps up to the one that sees whether the pod has its GPUs. Throws what they throw. */
  async start(): Promise<void> {
    const signal = AbortSignal.timeout(COMMAND_MS);
    const { dir: kitDir } = await buildPodKit({ stateDir: this.#dir, signal });
    const { Id: id, Config } = await new Docker().getImage(this.#input.image).inspect();
    const image = { id, user: Config.User, entrypoint: [], command: [], stopSignal: undefined };
    this.#turn = { ...this.#turn, seen: { ...this.#turn.seen, image } };
    const deps = {
      runtime: this.#runtime,
      passthrough: this.#input.passthrough,
      isolation: new FakeIsolation(),
      volumes: new FakeVolumes().port,
      quota: { unavailable: "not in this test" },
      clock: systemClock(),
      log: loggerToMemory().log,
      sealingKey: generateSealingKey(),
      dirsOf: () => ({ kitDir, podDir: join(this.#dir, "pod"), secretDir: join(this.#dir, "secret") }),
      bindAddress: "127.0.0.1",
      host: "a test of GPUs",
    } as unknown as StepDeps;
    for (const step of ["create", "start", "see-gpus"] as const) {
      this.#turn = await ACTIONS[step](this.#turn, { deps, signal, onPull: () => undefined });
    }
  }

  /** A line of shell in the pod, as root or as the image's own user. */
  async sh(script: string): Promise<ExecResult> {
    return exec("docker", ["exec", this.name, BUSYBOX, "sh", "-c", script], {
      signal: AbortSignal.timeout(COMMAND_MS),
      timeoutMs: COMMAND_MS,
      allowExitCodes: ANY_EXIT,
    });
  }

  /** Device files beyond those that every container has, in order. */
  async ownNodes(): Promise<string[]> {
    const { stdout } = await this.sh(`${BUSYBOX} find /dev -type c -o -type b`);
    const usual = /^\/dev\/(?:null|zero|full|random|urandom|tty|console|ptmx|pts\/.*)$/;
    return stdout
      .split("\n")
      .filter((path) => path !== "" && !usual.test(path))
      .toSorted();
  }

  async log(): Promise<string> {
    const { stdout } = await exec("docker", ["logs", this.name], {
      signal: AbortSignal.timeout(COMMAND_MS),
      timeoutMs: COMMAND_MS,
    });
    return stdout;
  }

  async remove(): Promise<void> {
    await this.#runtime.remove(this.name, AbortSignal.timeout(COMMAND_MS));
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
