/**
 * What of a host's accelerators can be given to pods as the host is set up, and why the rest cannot. Pure.
 */
import type { Accelerators, AcceleratorVendor } from "../../../protocol/accelerator.ts";
import type { ErrorCode } from "../../../protocol/errors.ts";
import type { Gpu } from "../../../protocol/gpu.ts";
import { rentableUnits } from "../units.ts";
import { findUnit } from "./find-unit.ts";
import { shareOf } from "./grant.ts";
import type { HostSetup } from "./setup.ts";

export interface GivingProblem {
  readonly code: Extract<ErrorCode, "gpu-passthrough-missing">;
  readonly vendor: AcceleratorVendor;
  /** What is wrong and what to do about it. */
  readonly message: string;
}

export interface Givable {
  /** In the order of their UUIDs. Made-up ones need nothing and are always in it. */
  readonly units: readonly Gpu[];
  /** Each once, however many devices it keeps from being given. */
  readonly problems: readonly GivingProblem[];
}

const CODE = "gpu-passthrough-missing";

/** `setup` is undefined while it is not known: then nothing real can be given. */
export function givable(snapshot: Pick<Accelerators, "gpus">, setup: HostSetup | undefined): Givable {
  const units: Gpu[] = [];
  const problems = new Map<string, GivingProblem>();
  for (const gpu of rentableUnits(snapshot)) {
    const message = gpu.simulated ? undefined : lackOf(gpu, snapshot, setup);
    if (message === undefined) units.push(gpu);
    else problems.set(`${gpu.vendor} ${message}`, { code: CODE, vendor: gpu.vendor, message });
  }
  return { units, problems: [...problems.values()] };
}

function lackOf({ uuid }: Gpu, snapshot: Pick<Accelerators, "gpus">, setup: HostSetup | undefined): string | undefined {
  if (setup === undefined)
    return "The container engine does not answer, so that it is not known how GPUs can be given.";
  const unit = findUnit(snapshot, uuid);
  const share = unit && shareOf(unit, setup);
  return share !== undefined && "lack" in share ? share.lack : undefined;
}
