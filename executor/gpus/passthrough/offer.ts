/**
 * Keeps what this host tells of its accelerators up to date: those that renters can have, and why others cannot be given.
 */
import type { Clock } from "../../../common/clock.ts";
import type { CurrentFacts } from "../../host/current-facts.ts";
import type { GpuInventory } from "../inventory.ts";
import { gpuFacts } from "../units.ts";
import type { Passthrough } from "./passthrough.ts";

export interface OfferParts {
  readonly passthrough: Pick<Passthrough, "offered" | "problems" | "onChange">;
  readonly gpus: Pick<GpuInventory, "snapshot">;
  readonly facts: Pick<CurrentFacts, "update" | "raise" | "clear">;
  readonly clock: Clock;
}

/** Now and after each change, until the returned function is called. */
export function offerGpus({ passthrough, gpus, facts, clock }: OfferParts): () => void {
  const tell = (): void => {
    facts.update(gpuFacts(passthrough.offered(), gpus.snapshot()));
    const problems = passthrough.problems();
    const message = problems.map((problem) => `${problem.vendor}: ${problem.message}`).join(" ");
    if (problems.length === 0) facts.clear("gpu-passthrough-missing");
    else facts.raise("gpu-passthrough-missing", message, clock.now());
  };
  tell();
  return passthrough.onChange(tell);
}
