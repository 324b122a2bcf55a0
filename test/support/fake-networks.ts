/**
 * The engine's networks in memory: the Networks port without an engine. It passes the same suite as the real one.
 * Tests say what runs where (`run`), what else is there (`add`), and take the engine away (`down`).
 */
import type { Networks, NetworkSpec, SeenNetwork } from "../../executor/docker/networks.ts";
import { overlaps, parseCidr } from "../../executor/isolation/cidr.ts";
import { AppError } from "../../protocol/errors.ts";

export class FakeNetworks implements Networks {
  readonly networks = new Map<string, SeenNetwork>();
  /** The network's id that a container which does not run was last attached to. */
  readonly attached = new Map<string, string>();
  readonly calls: string[] = [];
  down = false;
  readonly #running = new Map<string, string>();
  #ids = 0;

  /** A container runs in a network. */
  run(container: string, network: string): void {
    this.#running.set(container, network);
    this.attached.set(container, this.networks.get(network)?.id ?? "");
  }

  end(container: string): void {
    this.#running.delete(container);
  }

  /** Somebody else's network, or one of ours that was tampered with. */
  add(network: Partial<SeenNetwork> & { readonly name: string }): void {
    const blank = { driver: "bridge", subnets: [], bridge: undefined, open: true, ipv6: false, labels: {} };
    this.networks.set(network.name, { id: this.#newId(), ...blank, ...network });
  }

  async list(): Promise<SeenNetwork[]> {
    this.#enter("list", "");
    return [...this.networks.values()];
  }

  async create(spec: NetworkSpec): Promise<void> {
    this.#enter("create", spec.name);
    const { name, subnet, bridge, labels } = spec;
    const isTaken = [...this.networks.values()].some(
      (other) =>
        other.name === name ||
        other.bridge === bridge ||
        other.subnets.some((range) => overlaps(parseCidr(range), parseCidr(subnet))),
    );
    if (isTaken) throw new AppError("network-taken");
    this.add({ name, subnets: [subnet], bridge, labels, open: false });
  }

  async inspect(name: string): Promise<(SeenNetwork & { readonly containers: readonly string[] }) | undefined> {
    this.#enter("inspect", name);
    const network = this.networks.get(name);
    return network === undefined ? undefined : { ...network, containers: this.#containersOf(name) };
  }

  async remove(name: string): Promise<void> {
    this.#enter("remove", name);
    if (this.#containersOf(name).length > 0) throw new AppError("network-taken");
    this.networks.delete(name);
  }

  async attach(container: string, network: string): Promise<void> {
    this.#enter("attach", container);
    const id = this.networks.get(network)?.id;
    if (id !== undefined) this.attached.set(container, id);
  }

  #containersOf(network: string): string[] {
    return [...this.#running].flatMap(([container, where]) => (where === network ? [container] : []));
  }

  #enter(verb: string, about: string): void {
    this.calls.push(about === "" ? verb : `${verb} ${about}`);
    if (this.down) throw new AppError("engine-unavailable", { message: `${verb}: the fake engine is down` });
  }

  #newId(): string {
    this.#ids += 1;
    return `network${this.#ids}`;
  }
}
