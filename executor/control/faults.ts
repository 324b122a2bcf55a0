/**
 * Faults to order, for developers: refused wherever the GPUs are real.
 */
import { appendFile } from "node:fs/promises";

import type { Handlers } from "../../common/http-server.ts";
import { AppError } from "../../protocol/errors.ts";
import type { faultRoutes, GpuFaults } from "../../protocol/host-api/faults.ts";
import { GpuUuid } from "../../protocol/ids.ts";
import type { OpenInventory } from "../gpus/open.ts";
import { SimulatedInventory } from "../gpus/simulated.ts";
import type { HostOperator } from "./server.ts";

export interface FaultParts {
  readonly gpus: OpenInventory;
  /** The file that stands for the kernel's log. */
  readonly kernelLog: string;
}

export function faultHandlers({ gpus, kernelLog }: FaultParts): Handlers<typeof faultRoutes, HostOperator> {
  const simulated = (): SimulatedInventory => {
    if (gpus instanceof SimulatedInventory) return gpus;
    throw new AppError("faults-refused");
  };
  const listed = (): GpuFaults => {
    const faults = [...simulated().faults()];
    return { faults: faults.flatMap(([gpu, reasons]) => reasons.map((one) => ({ gpu: GpuUuid.parse(gpu), ...one }))) };
  };
  const known = (gpu: GpuUuid): GpuUuid => {
    if (
      simulated()
        .found()
        .gpus.some(({ uuid }) => uuid === gpu)
    )
      return gpu;
    throw new AppError("gpu-not-found", { details: { gpu } });
  };
  return {
    listFaults: () => listed(),
    injectFault: ({ body: { gpu, ...fault } }) => {
      simulated().inject(known(gpu), fault);
      return listed();
    },
    clearFaults: ({ query: { gpu, code } }) => {
      const inventory = simulated();
      const gpus = gpu === undefined ? inventory.found().gpus.map(({ uuid }) => uuid) : [known(gpu)];
      for (const one of gpus) inventory.clear(one, code);
      return listed();
    },
    injectKernelLine: async ({ body: { line } }) => {
      const faults = listed();
      await appendFile(kernelLog, `${line}\n`);
      return faults;
    },
  };
}
