/**
 * A host whose bus, driver and nvidia-smi are all made up, and the real inventory over it with its real children.
 */
import { systemClock } from "../../../common/clock.ts";
import type { ProcessGroups } from "../../../executor/gpus/children/groups.ts";
import { GpusConfig } from "../../../executor/gpus/config.ts";
import type { GpuChange } from "../../../executor/gpus/inventory.ts";
import type { LiveInventory } from "../../../executor/gpus/live.ts";
import { openLive, type OpenOptions } from "../../../executor/gpus/open.ts";
import { loggerToMemory } from "../memory-log.ts";
import { FakeDriver, type FakeGpu } from "./fake-driver.ts";
import { FakeSmi } from "./fake-smi.ts";
import { addNvidia, FakeSysfs } from "./fake-sysfs.ts";

export class LiveHost {
  readonly sysfs = new FakeSysfs();
  readonly driver = new FakeDriver();
  readonly smi = new FakeSmi();
  #inventory: LiveInventory | undefined;

  /** Looks several times a second. */
  open(options: Partial<OpenOptions> = {}, groups?: ProcessGroups): LiveInventory {
    const paths = { root: this.sysfs.folder, nvmlLibrary: this.driver.library, nvidiaSmi: this.smi.file };
    const pace = { quickSeconds: 0.2, fullSeconds: 0.4 };
    const { log } = loggerToMemory();
    this.#inventory = openLive(
      { ...GpusConfig.parse({}), ...paths, ...pace, seed: "test", nvidiaEnv: this.driver.env, ...options },
      { clock: systemClock(), log, random: Math.random, ...(groups === undefined ? {} : { groups }) },
    );
    return this.#inventory;
  }

  plug(gpus: readonly FakeGpu[]): void {
    for (const [minor, { uuid, address }] of gpus.entries()) addNvidia(this.sysfs, { address, uuid, minor });
  }

  async remove(): Promise<void> {
    await this.#inventory?.close();
    for (const made of [this.sysfs, this.driver, this.smi]) made.remove();
  }
}

/** What is held against each device, by its UUID. */
export function codesOf(inventory: LiveInventory): Record<string, string[]> {
  return Object.fromEntries(
    inventory.snapshot().gpus.map(({ uuid, health }) => [uuid, health.reasons.map(({ code }) => code)]),
  );
}

/** Resolves with the first change that fits. */
export function changed(inventory: LiveInventory, fits: (change: GpuChange) => boolean): Promise<GpuChange> {
  return new Promise((resolve) => {
    const stop = inventory.onChange((changes) => {
      const found = changes.find(fits);
      if (found === undefined) return;
      stop();
      resolve(found);
    });
  });
}
