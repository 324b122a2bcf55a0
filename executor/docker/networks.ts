/**
 * The port to the engine's networks. Only what pods' own networks need: one bridge each, with a fixed subnet.
 *
 * Every call may reject with `engine-unavailable` (nothing is known about the outcome) or `engine-error`.
 * The fake in test/support and the real engine pass the same suite, test/compliance/networks.suite.ts.
 */

export interface NetworkSpec {
  readonly name: string;
  /** Its first host address is the gateway: the host's own end. */
  readonly subnet: string;
  readonly gateway: string;
  /** The network interface that the engine makes on the host. */
  readonly bridge: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface SeenNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  /** IPv4 and IPv6. */
  readonly subnets: readonly string[];
  /** Undefined for a network whose interface the engine named itself, or that has none. */
  readonly bridge: string | undefined;
  /** Whether containers in it reach each other. */
  readonly open: boolean;
  readonly ipv6: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Networks {
  /** Every network of the engine, whoever made it. */
  list(signal: AbortSignal): Promise<SeenNetwork[]>;
  /** A bridge without IPv6, whose containers do not reach each other. Rejects with `network-taken` when its name, subnet or bridge is in use in the engine. */
  create(spec: NetworkSpec, signal: AbortSignal): Promise<void>;
  /** Undefined when there is none of that name. `containers` are the names of those that run in it. */
  inspect(
    name: string,
    signal: AbortSignal,
  ): Promise<(SeenNetwork & { readonly containers: readonly string[] }) | undefined>;
  /** Idempotent. Rejects with `network-taken` while a container runs in it. */
  remove(name: string, signal: AbortSignal): Promise<void>;
  /**
   * Makes sure that a container that does not run is in the network of this name as it is now, and in no other. The
   * engine remembers a network by its id, so a container of a network that was removed and made again would never start.
   * Does nothing when all is well, or when there is no such container.
   */
  attach(container: string, network: string, signal: AbortSignal): Promise<void>;
}
