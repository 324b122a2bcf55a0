/**
 * Cuts this host's GPUs as its configuration says, from the start of the executor to its end.
 */
import { join } from "node:path";

import { GpuUuid } from "../../../protocol/ids.ts";
import type { Base } from "../../base.ts";
import { alone } from "../../pods/alone.ts";
import type { Pods } from "../../pods/reconcile.ts";
import { DoomedChildren } from "../children/doomed.ts";
import { linuxGroups } from "../children/groups.ts";
import { smiMigDriver } from "./driver.ts";
import { startMig } from "./keeper.ts";

/** Resolves when it was tried once for each. Made-up GPUs are cut by their own configuration alone. */
export async function startCutting(base: Base, pods: Pick<Pods, "known">): Promise<void> {
  const { config, gpus, passthrough, admissions, clock, log, life } = base;
  if (config.gpus.simulate !== "") return;
  const wanted = new Map(Object.entries(config.gpus.mig).map(([uuid, parts]) => [GpuUuid.parse(uuid), parts]));
  const parts = {
    admissions,
    known: () => pods.known(),
    blocked: () => passthrough.blocked,
    signal: life.signal,
  };
  await startMig(
    { wanted, file: join(config.stateDir, "mig.json") },
    {
      driver: smiMigDriver({ file: config.gpus.nvidiaSmi }, new DoomedChildren({ groups: linuxGroups(), clock })),
      snapshot: () => gpus.snapshot(),
      look: () => gpus.lookWhole(),
      alone: (units, work) => alone(units, work, parts),
      clock,
      log,
      life,
    },
  );
}
