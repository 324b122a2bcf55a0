/**
 * Pods' own networks. They outlive the pods and are used again; a few are made ahead, so that a pod's start waits for none.
 * A network is ours by its labels; one that has our name and is not ours, or that does not isolate, is never used.
 */
import type { Logger } from "../../common/logger.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import { HOST_LABEL } from "../docker/labels.ts";
import type { Networks, SeenNetwork } from "../docker/networks.ts";
import { overlaps, parseCidr } from "./cidr.ts";
import type { HostNetwork } from "./host-network.ts";
import { chooseSlot, gatewayOf, type PodNetwork, slotOfSubnet } from "./slots.ts";

export const NETWORK_LABEL = "lium.network";

export interface PodNetworksOptions {
  readonly pool: string;
  /** How many networks are kept ready. */
  readonly spares: number;
  /** Tells this executor's networks from those of another one on the same machine. */
  readonly hostId: string;
}

export interface PodNetworksDeps {
  readonly networks: Networks;
  readonly readHostNetwork: () => Promise<HostNetwork>;
  readonly log: Logger;
}

/** A network for a container that is no pod's. No pod gets it until `end`. */
export interface NetworkLoan {
  readonly network: PodNetwork;
  readonly end: () => void;
}

/** What was seen last: networks of ours, and ranges that others use. */
interface View {
  readonly ours: readonly PodNetwork[];
  readonly busy: readonly string[];
}

export class PodNetworks {
  readonly #options: PodNetworksOptions;
  readonly #deps: PodNetworksDeps;
  /** Nothing is known before the first look; `ensure` then finds out what is taken. */
  #view: View = { ours: [], busy: [] };
  /** Subnets that turned out to be somebody else's since then, and those that are being removed. */
  readonly #refused = new Set<string>();
  readonly #leaving = new Set<string>();
  readonly #lent = new Set<string>();

  constructor(options: PodNetworksOptions, deps: PodNetworksDeps) {
    this.#options = options;
    this.#deps = deps;
  }

  /** A network for a new pod, or undefined when none is free. `taken` are the subnets that pods' records hold. */
  choose(taken: Iterable<string>): PodNetwork | undefined {
    return this.#choose([...taken], this.#view.ours);
  }

  /** As `choose`, which gives it to nobody else meanwhile. `ensure` makes sure of it too. */
  lend(taken: Iterable<string>): NetworkLoan | undefined {
    const network = this.choose(taken);
    if (network === undefined) return undefined;
    this.#lent.add(network.subnet);
    return { network, end: () => this.#lent.delete(network.subnet) };
  }

  /**
   * Makes sure that the network is there, isolates, is ours and serves nobody but this container. Call it before the
   * container is created and before each start. Rejects with `network-taken`, whereupon `choose` gives another one, and
   * with `isolation-unavailable` when the engine works in a network that is not this host's.
   */
  async ensure(network: PodNetwork, container: string, signal: AbortSignal): Promise<void> {
    const found = await this.#find(network, container, signal);
    if (!found) await this.#create(network, container, signal);
    const { interfaces } = await this.#deps.readHostNetwork();
    if (interfaces.has(network.bridge)) return;
    const message = `The engine's network ${network.name} is not in this host's network, where its firewall is.`;
    throw new AppError("isolation-unavailable", { message, details: { protection: "network" } });
  }

  /** Makes sure that a container that does not run can start in this network, also when the network was made anew. */
  async attach(container: string, network: PodNetwork, signal: AbortSignal): Promise<void> {
    await this.#deps.networks.attach(container, network.name, signal);
  }

  /**
   * Looks at what is there, makes spare networks and removes those of ours that are too many. `taken` is asked anew at
   * every turn, because pods come meanwhile.
   */
  async keepSpares(taken: () => Iterable<string>, signal: AbortSignal): Promise<void> {
    await this.#look(signal);
    const isHeld = (subnet: string): boolean => this.#lent.has(subnet) || [...taken()].includes(subnet);
    const free = this.#view.ours.filter(({ subnet }) => !isHeld(subnet));
    const [ready, strange] = [
      free.filter((network) => this.#isInPool(network)),
      free.filter((each) => !this.#isInPool(each)),
    ];
    for (let count = ready.length; count < this.#options.spares; count += 1) await this.#addSpare([...taken()], signal);
    for (const network of [...strange, ...ready.slice(this.#options.spares)]) {
      if (!isHeld(network.subnet)) await this.#remove(network, signal);
    }
  }

  #choose(taken: readonly string[], spares: readonly PodNetwork[]): PodNetwork | undefined {
    const busy = [...this.#view.busy, ...this.#refused, ...this.#leaving, ...this.#lent];
    return chooseSlot({ pool: this.#options.pool, taken, busy, spares });
  }

  /** Says whether the network is there; rejects with `network-taken` when it cannot be this container's. */
  async #find(network: PodNetwork, container: string, signal: AbortSignal): Promise<boolean> {
    const found = await this.#deps.networks.inspect(network.name, signal);
    if (found === undefined) return false;
    if (this.#asOurs(found)?.bridge !== network.bridge) throw this.#refuse(network, "the engine's is not ours");
    if (found.containers.some((name) => name !== container)) throw this.#refuse(network, "it serves another container");
    return true;
  }

  async #create(network: PodNetwork, container: string, signal: AbortSignal): Promise<void> {
    const { interfaces } = await this.#deps.readHostNetwork();
    // The engine would take the interface for its own, with whatever is attached to it.
    if (interfaces.has(network.bridge)) throw this.#refuse(network, `an interface ${network.bridge} exists`);
    const labels = { [NETWORK_LABEL]: network.subnet, [HOST_LABEL]: this.#options.hostId };
    try {
      await this.#deps.networks.create({ ...network, gateway: gatewayOf(network), labels }, signal);
    } catch (error) {
      if (toAppError(error).code !== "network-taken") throw error;
      // Somebody was faster; it may have been we, making a spare one.
      if (!(await this.#find(network, container, signal))) throw this.#refuse(network, "its range is in use", error);
    }
    this.#view = { ...this.#view, ours: [...this.#view.ours.filter(({ name }) => name !== network.name), network] };
  }

  async #addSpare(taken: readonly string[], signal: AbortSignal): Promise<void> {
    const network = this.#choose([...taken, ...this.#view.ours.map(({ subnet }) => subnet)], []);
    if (network === undefined) return;
    await this.#create(network, "", signal).catch((error: unknown) => {
      if (toAppError(error).code !== "network-taken") throw error;
    });
  }

  async #remove(network: PodNetwork, signal: AbortSignal): Promise<void> {
    this.#leaving.add(network.subnet);
    try {
      await this.#deps.networks.remove(network.name, signal);
      this.#view = { ...this.#view, ours: this.#view.ours.filter(({ name }) => name !== network.name) };
    } catch (error) {
      if (toAppError(error).code !== "network-taken") throw error;
      this.#deps.log.warn("a network of ours serves a container that no pod of ours knows", { network: network.name });
    } finally {
      this.#leaving.delete(network.subnet);
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const [seen, host] = await Promise.all([this.#deps.networks.list(signal), this.#deps.readHostNetwork()]);
    const ours = seen.flatMap((network) => this.#asOurs(network) ?? []);
    const others = seen.filter((network) => this.#asOurs(network) === undefined);
    const bridges = new Set(ours.map(({ bridge }) => bridge));
    this.#refused.clear();
    this.#view = {
      ours,
      busy: [
        ...others.flatMap(({ subnets }) => subnets.filter((subnet) => !subnet.includes(":"))),
        ...host.routes.flatMap(({ cidr, interfaceName }) => (bridges.has(interfaceName) ? [] : [cidr])),
      ],
    };
  }

  /** The network as a pod's, or undefined when it is not ours or not as we make them. */
  #asOurs({ name, driver, subnets, bridge, open, ipv6, labels }: SeenNetwork): PodNetwork | undefined {
    if (labels[HOST_LABEL] !== this.#options.hostId || subnets[0] === undefined) return undefined;
    const slot = slotOfSubnet(subnets[0]);
    const isSound = slot?.name === name && slot.bridge === bridge && subnets.length === 1;
    return isSound && driver === "bridge" && !open && !ipv6 ? slot : undefined;
  }

  #isInPool({ subnet }: PodNetwork): boolean {
    return overlaps(parseCidr(subnet), parseCidr(this.#options.pool));
  }

  #refuse({ name, subnet }: PodNetwork, why: string, cause?: unknown): AppError {
    this.#refused.add(subnet);
    return new AppError("network-taken", {
      message: `Network ${name} cannot be used: ${why}.`,
      details: { name },
      cause,
    });
  }
}
