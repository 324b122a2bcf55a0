/**
 * The health engine of this host, made with what it listens to and what it acts through. It acts once pods are known.
 */
import { open } from "node:fs/promises";
import { join } from "node:path";

import type { Base } from "../../base.ts";
import { alone } from "../../pods/alone.ts";
import type { KnownPods } from "../../pods/known.ts";
import { DoomedChildren } from "../children/doomed.ts";
import { linuxGroups } from "../children/groups.ts";
import { findingOfLine } from "../kernel/lines.ts";
import { watchKernelLog } from "../kernel/watch.ts";
import { GpuHealth } from "./engine.ts";
import { findingOfEvent } from "./events.ts";
import { liveRemedies } from "./live-remedies.ts";
import { HEALTH_FILE } from "./store.ts";

type Parts = Pick<
  Base,
  "config" | "bootId" | "gpus" | "passthrough" | "admissions" | "clock" | "random" | "log" | "life"
>;

/** `known` is undefined until it is known which pods there are. Resolves when the fences of before are in force again. */
export async function startHealth(parts: Parts, known: () => KnownPods | undefined): Promise<GpuHealth> {
  const { config, bootId, gpus, passthrough, admissions, clock, random, log, life } = parts;
  const { health: options, nvidiaSmi } = config.gpus;
  const blocked = (): ReturnType<Parts["gpus"]["list"]>[number]["uuid"][] => [...passthrough.blocked.keys()];
  const children = { doomed: new DoomedChildren({ groups: linuxGroups(), clock }), clock, random };
  const health = new GpuHealth(
    { stateFile: join(config.stateDir, HEALTH_FILE), bootId, allowReboot: options.reboot },
    {
      found: () => gpus.found(),
      judge: (judgement) => gpus.judge(judgement),
      look: () => gpus.lookWhole(),
      remedies: liveRemedies({ tools: { "nvidia-smi": nvidiaSmi } }, children),
      pods: known,
      blocked,
      alone: (units, work) =>
        alone(units, work, { admissions, known, blocked: () => passthrough.blocked, signal: life.signal }),
      clock,
      log: log.child({ part: "gpu-health" }),
    },
  );
  life.add("gpu-health", () => health.close());
  await health.start();
  const stopWaking = gpus.onChange(() => health.wake());
  const stopHearing = gpus.onEvent((event) => {
    const finding = findingOfEvent(event, { at: clock.now(), overrides: options.xid });
    if (finding !== undefined) health.hear(finding);
    health.wake();
  });
  life.add("gpu-events", () => {
    stopWaking();
    stopHearing();
  });
  await listenToKernel(parts, health);
  return health;
}

/** With made-up GPUs the machine's own log has nothing to say of them. */
export function kernelLogOf({ gpus, stateDir }: Base["config"]): string {
  return gpus.kernelLog ?? (gpus.simulate === "" ? "/dev/kmsg" : join(stateDir, "kernel.log"));
}

async function listenToKernel({ config, bootId, clock, log, life }: Parts, health: GpuHealth): Promise<void> {
  const path = kernelLogOf(config);
  if (config.gpus.simulate !== "") await (await open(path, "a", 0o600)).close();
  const ticker = watchKernelLog(
    { path, stateFile: join(config.stateDir, "kernel-log.json"), bootId },
    {
      clock,
      log,
      tell: ({ micros, text }) => {
        const agoMs = micros === undefined ? 0 : clock.monotonic() - micros / 1000;
        const at = clock.now() - Math.max(0, agoMs);
        const finding = findingOfLine(text, { at, overrides: config.gpus.health.xid });
        if (finding !== undefined) health.hear(finding);
      },
    },
    life.signal,
  );
  life.add("kernel-log", () => ticker.done);
}
