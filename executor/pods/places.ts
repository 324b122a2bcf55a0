/**
 * Where a pod lives on this host: its ports and its network. Chosen among what no record holds and nobody else uses; what
 * turns out to be somebody else's is not chosen again. Calls must not overlap but for `keepSpares`.
 */
import type { Reason } from "../../protocol/pod.ts";
import type { PodNetworks } from "../isolation/networks.ts";
import { SSH_PORT } from "../ssh/pod-kit.ts";
import { claimsOf, portKey, subnetsOf } from "./claims.ts";
import { choosePorts, type PortRange } from "./ports.ts";
import type { PodRecord } from "./state.ts";

export interface PlacesOptions {
  readonly ranges: readonly PortRange[];
}

export interface PlacesDeps {
  readonly isPortFree: (port: number, protocol: "tcp" | "udp") => Promise<boolean>;
  readonly isolation: { readonly networks: Pick<PodNetworks, "choose" | "keepSpares"> };
  /** Of everybody who holds something on this host. */
  readonly records: () => readonly PodRecord[];
}

/** What a pod turned out not to be able to have. */
export type Taken = "port-busy" | "network-taken";

export class Places {
  readonly #options: PlacesOptions;
  readonly #deps: PlacesDeps;
  readonly #busyPorts = new Set<string>();
  #making: Promise<void> | undefined;

  constructor(options: PlacesOptions, deps: PlacesDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** The record with ports and a network, or with the reason why there are none. */
  async place(record: PodRecord): Promise<PodRecord> {
    return this.#withNetwork(await this.#withPorts(record));
  }

  /** The record with another choice of what turned out to be taken. */
  async other(record: PodRecord, taken: Taken): Promise<PodRecord> {
    if (taken === "network-taken") return this.#withNetwork(record);
    for (const { hostPort, protocol } of record.ports) this.#busyPorts.add(portKey(hostPort, protocol));
    return this.#withPorts(record);
  }

  /** Makes networks ahead; one run at a time, which asks anew what is taken. */
  async keepSpares(signal: AbortSignal): Promise<void> {
    const { networks } = this.#deps.isolation;
    this.#making ??= networks
      .keepSpares(() => subnetsOf(this.#deps.records()), signal)
      .finally(() => (this.#making = undefined));
    await this.#making;
  }

  async #withPorts(record: PodRecord): Promise<PodRecord> {
    const claimed = claimsOf(this.#others(record)).ports;
    const requests = [{ containerPort: SSH_PORT, protocol: "tcp" as const }, ...record.wanted.spec.ports];
    const busy = new Set(this.#busyPorts);
    for (;;) {
      const ports = choosePorts({
        holder: record.wanted.podId,
        requests,
        ranges: this.#options.ranges,
        isTaken: (key) => claimed.has(key) || busy.has(key),
      });
      if (ports === undefined) return { ...record, failure: NO_PORTS };
      const free = await Promise.all(ports.map(({ hostPort, protocol }) => this.#deps.isPortFree(hostPort, protocol)));
      if (free.every(Boolean)) return { ...record, ports };
      for (const [index, { hostPort, protocol }] of ports.entries()) {
        if (free[index] !== true) busy.add(portKey(hostPort, protocol));
      }
    }
  }

  #withNetwork(record: PodRecord): PodRecord {
    if (record.failure !== undefined) return record;
    const network = this.#deps.isolation.networks.choose(subnetsOf(this.#others(record)));
    return network === undefined ? { ...record, failure: NO_NETWORK } : { ...record, network };
  }

  #others({ wanted: { podId } }: PodRecord): PodRecord[] {
    return this.#deps.records().filter(({ wanted }) => wanted.podId !== podId);
  }
}

const NO_PORTS: Reason = { code: "ports-exhausted", message: "No free host port is left in the configured range." };
const NO_NETWORK: Reason = {
  code: "network-taken",
  message: "No range of the configured pool is left for a network of the pod's own.",
};
