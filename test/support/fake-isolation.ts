/**
 * Isolation over the fake networks, for tests of pods: the real choice of networks, and protections that are there until a
 * test takes them away (`failure`).
 */
import type { Isolation } from "../../executor/isolation/isolation.ts";
import { PodNetworks } from "../../executor/isolation/networks.ts";
import type { AppError } from "../../protocol/errors.ts";
import { FakeNetworks } from "./fake-networks.ts";
import { loggerToMemory } from "./memory-log.ts";

export class FakeIsolation implements Pick<Isolation, "check" | "networks" | "settings" | "podRoot"> {
  readonly engine: FakeNetworks;
  readonly networks: PodNetworks;
  readonly settings = { dns: [] };
  readonly podRoot = undefined;
  /** What `check` rejects with. */
  failure: AppError | undefined;
  checks = 0;

  constructor({ engine = new FakeNetworks(), hostId = "host" } = {}) {
    this.engine = engine;
    const readHostNetwork = async () => {
      const bridges = [...engine.networks.values()].flatMap(({ bridge }) => bridge ?? []);
      return { routes: [], interfaces: new Set(bridges), nameServers: [] };
    };
    const options = { pool: "10.213.0.0/16", spares: 1, hostId };
    this.networks = new PodNetworks(options, { networks: engine, readHostNetwork, log: loggerToMemory().log });
  }

  async check(): Promise<void> {
    this.checks += 1;
    if (this.failure !== undefined) throw this.failure;
  }
}
