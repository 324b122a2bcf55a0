/**
 * Isolation without an engine or a firewall: networks are given by number, and a test may take a protection away.
 */
import type { Isolation } from "../../executor/isolation/isolation.ts";
import { slotAt } from "../../executor/isolation/slots.ts";
import type { PodIsolation } from "../../executor/pods/steps.ts";
import { AppError } from "../../protocol/errors.ts";

const POOL = "10.213.0.0/24";

export class FakeIsolation implements PodIsolation {
  readonly settings: Isolation["settings"] = { dns: [] };
  readonly podRoot = undefined;
  /** Why nothing can be protected now. */
  missing: string | undefined;
  /** Networks that turn out to be somebody else's. */
  readonly foreign = new Set<string>();
  readonly calls: string[] = [];

  async check(): Promise<void> {
    if (this.missing !== undefined) throw new AppError("isolation-unavailable", { message: this.missing });
  }

  readonly networks: PodIsolation["networks"] = {
    choose: (taken) => {
      const held = new Set([...taken, ...this.foreign]);
      return Array.from({ length: 32 }, (_, slot) => slotAt(POOL, slot)).find(({ subnet }) => !held.has(subnet));
    },
    ensure: async ({ name, subnet }, container) => {
      this.calls.push(`ensure ${name} ${container}`);
      if (this.foreign.has(subnet)) throw new AppError("network-taken");
    },
    attach: async (container, { name }) => void this.calls.push(`attach ${name} ${container}`),
    keepSpares: async () => undefined,
  };
}
