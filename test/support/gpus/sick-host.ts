/** The health engine on made-up GPUs, with the pods, the remedies and the clock that a test sets. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createLogger } from "../../../common/logger.ts";
import { GpuHealth, type HealthDeps } from "../../../executor/gpus/health/engine.ts";
import type { Verdict } from "../../../executor/gpus/health/remedies.ts";
import type { PodsForHealth } from "../../../executor/gpus/health/words.ts";
import { findingOfLine } from "../../../executor/gpus/kernel/lines.ts";
import { knownOr } from "../../../executor/gpus/known.ts";
import { simulatedGpus } from "../../../executor/gpus/simulated.ts";
import { AppError } from "../../../protocol/errors.ts";
import { type GpuUuid, PodId } from "../../../protocol/ids.ts";
import { FakeClock } from "../fake-clock.ts";

export const POD = PodId.parse("01a20884-f4b5-7715-be2d-4761f65cf498");
export const NEXT = PodId.parse("01a20884-f4b5-7715-be2d-4761f65cf499");
export const PASSED: Verdict = { result: "passed", message: "It computes." };

/** A host of four L40S whose health engine can be started again and again on one state. */
export class SickHost {
  readonly dir = mkdtempSync(join(tmpdir(), "gpu-health-"));
  readonly clock = new FakeClock();
  gpus = simulatedGpus("4xL40S", "host", this.clock);
  /** Who has which GPU, and since when. */
  readonly claims = new Map<GpuUuid, number>();
  /** Whose they are. */
  pod = POD;
  treated: string[] = [];
  verdict = PASSED;
  resetFails = false;
  bootFails = false;
  bootId = "boot-1";
  #health: GpuHealth | undefined;

  get health(): GpuHealth {
    if (this.#health === undefined) throw new Error("The engine was not started.");
    return this.#health;
  }

  async start(more: Partial<HealthDeps> = {}): Promise<void> {
    const health = new GpuHealth(
      { stateFile: join(this.dir, "health.json"), bootId: this.bootId, allowReboot: true },
      {
        found: () => this.gpus.found(),
        judge: (judgement) => this.gpus.judge(judgement),
        look: () => this.gpus.lookWhole(),
        remedies: {
          validate: async ({ uuid }) => {
            this.treated.push(`validate ${uuid}`);
            return this.verdict;
          },
          reset: async ({ uuid }) => {
            this.treated.push(`reset ${uuid}`);
            if (this.resetFails) throw new AppError("gpu-not-reset", { message: "In use." });
          },
          reboot: async () => {
            this.treated.push("reboot");
            if (this.bootFails) throw new AppError("command-failed");
          },
        },
        pods: () => this.pods(),
        blocked: () => [],
        alone: (_units, work) => work(),
        clock: this.clock,
        log: createLogger({ name: "test", level: "silent" }),
        ...more,
      },
    );
    this.#health = health;
    await health.start();
    this.gpus.onChange(() => health.wake());
    await this.pass(10);
  }

  async close(): Promise<void> {
    await this.#health?.close();
    rmSync(this.dir, { recursive: true });
  }

  pods(): PodsForHealth {
    return {
      holders: new Map([...this.claims.keys()].map((gpu) => [gpu, this.pod])),
      holderAt: (units, atMs) =>
        units.some((unit) => (this.claims.get(unit) ?? Infinity) <= atMs) ? this.pod : undefined,
      live: this.claims.size,
    };
  }

  /** The engine writes to a real disk before it sleeps. */
  async pass(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; left -= 5) {
      await this.clock.untilSleeping();
      await this.clock.advance(5_000);
    }
    await this.clock.untilSleeping();
  }

  uuid(index: number): GpuUuid {
    return this.gpus.found().gpus[index]!.uuid;
  }

  kernel(index: number, said: string, at = this.clock.now()): void {
    const place = knownOr(this.gpus.found().gpus[index]!.pciAddress, "");
    const finding = findingOfLine(`NVRM: Xid (PCI:${place.slice(0, -2)}): ${said}`, { at });
    if (finding === undefined) throw new Error("no finding");
    this.health.hear(finding);
  }

  /** The GPUs that are offered, by their index. */
  offered(): number[] {
    const all = this.gpus.found().gpus.map((gpu) => gpu.uuid);
    return this.gpus.list().map((gpu) => all.indexOf(gpu.uuid));
  }
}
