/**
 * The containers that may hold GPUs of this host and are no pods that we know: what each was given, as the engine says. One
 * that cannot be asked about is told as such, and is asked about again.
 */
import type { ContainerDevices, ContainerRuntime, ListedContainer } from "../docker/runtime.ts";
import type { Holder } from "../gpus/passthrough/passthrough.ts";
import type { SortedContainers } from "./sort-containers.ts";

export class Holders {
  readonly #runtime: Pick<ContainerRuntime, "inspect">;
  /** By the container's id: what a container was given never changes. */
  #known: ReadonlyMap<string, ContainerDevices> = new Map();

  constructor(runtime: Pick<ContainerRuntime, "inspect">) {
    this.#runtime = runtime;
  }

  /** `ask`: whether there is anything that the engine could tell. What has ended holds nothing, unless it is ours. */
  async look(
    { unreadable, foreign }: Pick<SortedContainers, "unreadable" | "foreign">,
    ask: boolean,
    signal: AbortSignal,
  ): Promise<Holder[]> {
    const live = foreign.filter(({ state }) => state !== "exited");
    const known = new Map<string, ContainerDevices>();
    const holderOf = async (container: ListedContainer, ours: boolean): Promise<Holder[]> => {
      const { name, id } = container;
      const devices = ask ? await this.#devicesOf(container, signal) : undefined;
      if (devices === "gone") return [];
      if (devices !== undefined) known.set(id, devices);
      return [{ name, ours, devices }];
    };
    const found = await Promise.all([
      ...unreadable.map((container) => holderOf(container, true)),
      ...(ask ? live : []).map((container) => holderOf(container, false)),
    ]);
    this.#known = known;
    return found.flat();
  }

  async #devicesOf({ id, name }: ListedContainer, signal: AbortSignal): Promise<ContainerDevices | "gone" | undefined> {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    try {
      const seen = await this.#runtime.inspect(name, signal);
      return seen === undefined ? "gone" : seen.devices;
    } catch {
      // Not to know is an answer here, and the strictest.
      signal.throwIfAborted();
      return undefined;
    }
  }
}
