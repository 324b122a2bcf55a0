/**
 * Runs a tiny container with everything that pods are denied, in the runtime that pods run in, and has it tell what it sees
 * of itself. So a runtime that is broken, or an engine that ignores a setting, is found out before a pod is.
 */
import { createHash } from "node:crypto";

import type { Clock } from "../../common/clock.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import { hardening, type HardeningSettings } from "../docker/hardening.ts";
import { HOST_LABEL } from "../docker/labels.ts";
import type { ContainerRuntime, ContainerSpec } from "../docker/runtime.ts";
import { kitMounts } from "../ssh/pod-kit.ts";

export interface SelfCheckDeps {
  readonly runtime: Pick<ContainerRuntime, "create" | "start" | "inspect" | "logs" | "remove">;
  readonly emptyImage: (signal: AbortSignal) => Promise<string>;
  readonly clock: Clock;
  /** Where the pod kit lies on the host: its busybox needs nothing of an image. */
  readonly kitDir: string;
  readonly hostId: string;
}

const MIB = 2 ** 20;
const RUN_MS = 30_000;
const POLL_MS = 20;
/** On containers of ours that are no pods. */
export const CHECK_LABEL = "lium.check";

/**
 * Resolves with `/proc/self/status` as a process in such a container reads it. Rejects with `isolation-unavailable` when
 * the container cannot be run, and with `engine-unavailable` when the engine does not answer.
 */
export async function runSelfCheck(
  settings: HardeningSettings,
  deps: SelfCheckDeps,
  signal: AbortSignal,
): Promise<string> {
  const { runtime, emptyImage } = deps;
  const spec = specOf(settings, deps, await emptyImage(signal));
  try {
    // One that a crash left behind would be in the way.
    await runtime.remove(spec.name, signal);
    await runtime.create(spec, signal);
    await runtime.start(spec.name, signal);
    await untilExited(spec.name, deps, signal);
    return await outputOf(spec.name, deps, signal);
  } catch (error) {
    const { code, message, details } = toAppError(error);
    if (signal.aborted || code === "engine-unavailable" || code === "isolation-unavailable") throw error;
    throw new AppError("isolation-unavailable", {
      message: `A container as pods are cannot be run: ${message}`,
      details: { ...details, protection: "runtime" },
      cause: error,
    });
  } finally {
    await runtime.remove(spec.name, AbortSignal.timeout(RUN_MS)).catch(() => undefined);
  }
}

function specOf(settings: HardeningSettings, { hostId, kitDir }: SelfCheckDeps, image: string): ContainerSpec {
  const kit = kitMounts({ kitDir, podDir: "", secretDir: "" }).filter(({ hostPath }) => hostPath === kitDir);
  return {
    name: `lium-check-${createHash("sha256").update(hostId).digest("hex").slice(0, 12)}`,
    Image: image,
    User: "0:0",
    Entrypoint: ["/.lium/k/bin/busybox"],
    Cmd: ["cat", "/proc/self/status"],
    Env: [],
    Labels: { [HOST_LABEL]: hostId, [CHECK_LABEL]: "yes" },
    Hostname: "check",
    ExposedPorts: {},
    HostConfig: {
      ...hardening(settings),
      Init: false,
      NetworkMode: "none",
      PortBindings: {},
      Mounts: kit.map(({ hostPath, podPath }) => ({ Type: "bind", Source: hostPath, Target: podPath, ReadOnly: true })),
      Tmpfs: {},
      ReadonlyRootfs: true,
      Memory: 64 * MIB,
      MemorySwap: 64 * MIB,
      NanoCpus: 1_000_000_000,
      PidsLimit: 16,
      ShmSize: MIB,
      LogConfig: { Type: "json-file", Config: { "max-size": "1m" } },
      RestartPolicy: { Name: "no" },
    },
  };
}

async function untilExited(name: string, { runtime, clock }: SelfCheckDeps, signal: AbortSignal): Promise<void> {
  const giveUpAt = clock.monotonic() + RUN_MS;
  for (;;) {
    const seen = await runtime.inspect(name, signal);
    if (seen?.state === "exited" && seen.exitCode === 0) return;
    if (seen === undefined || seen.state === "exited" || clock.monotonic() > giveUpAt) {
      const message = `The container that checks isolation ended with ${seen?.exitCode ?? "nothing"}.`;
      throw new AppError("isolation-unavailable", { message, details: { protection: "runtime" } });
    }
    await clock.sleep(POLL_MS, signal);
  }
}

async function outputOf(name: string, { runtime }: SelfCheckDeps, signal: AbortSignal): Promise<string> {
  const lines: string[] = [];
  for await (const { line } of runtime.logs(name, { follow: false, tail: 200 }, signal)) lines.push(line);
  return lines.join("\n");
}
