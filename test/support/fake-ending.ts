/**
 * The ends of containers over the fake engine. `wedge` makes a container one whose shim is stopped: what would wait for the
 * shim fails as if its time had run out, and the list still answers. Passes test/compliance/ending-engine.suite.ts.
 */
import type { EndingEngine, FoundContainer, PublishedHostPort } from "../../executor/docker/ending.ts";
import { AppError } from "../../protocol/errors.ts";
import type { FakeRuntime } from "./fake-runtime.ts";

export class FakeEnding implements EndingEngine {
  /** What was asked, in order: verb and name. */
  readonly calls: string[] = [];
  readonly wedged = new Set<string>();
  /** What the engine refuses the next removals with. */
  readonly refusals: Error[] = [];
  /** Ports that containers of others publish. */
  readonly othersPorts: PublishedHostPort[] = [];
  readonly #runtime: FakeRuntime;

  constructor(runtime: FakeRuntime) {
    this.#runtime = runtime;
  }

  async find(name: string): Promise<FoundContainer | undefined> {
    this.#answer();
    const seen = this.#runtime.containers.get(name)?.seen;
    return seen && { id: seen.id, state: seen.state };
  }

  async publishedPorts(): Promise<PublishedHostPort[]> {
    this.#answer();
    const own = [...this.#runtime.containers.values()].flatMap(({ seen, spec }) =>
      seen.state !== "running"
        ? []
        : Object.entries(spec.HostConfig.PortBindings).flatMap(([key, hosts]) =>
            hosts.map(({ HostPort }) => ({
              hostPort: Number(HostPort),
              protocol: key.endsWith("/udp") ? ("udp" as const) : ("tcp" as const),
              containerName: seen.name,
            })),
          ),
    );
    return [...own, ...this.othersPorts];
  }

  async stop(id: string): Promise<void> {
    const name = this.#enter("stop", id);
    if (name !== undefined) await this.#runtime.stop(name);
  }

  async kill(id: string): Promise<void> {
    const name = this.#enter("kill", id);
    if (name !== undefined) await this.#runtime.stop(name);
  }

  async remove(id: string): Promise<void> {
    const name = this.#enter("remove", id);
    const refusal = this.refusals.shift();
    if (refusal !== undefined) throw refusal;
    if (name !== undefined) await this.#runtime.remove(name);
  }

  #enter(verb: string, id: string): string | undefined {
    this.#answer();
    const name = [...this.#runtime.containers.values()].find(({ seen }) => seen.id === id)?.seen.name;
    this.calls.push(`${verb} ${name ?? "nobody"}`);
    if (name !== undefined && this.wedged.has(name)) {
      throw new AppError("engine-unavailable", { message: `${verb}: the engine did not answer in time` });
    }
    return name;
  }

  #answer(): void {
    if (this.#runtime.down) throw new AppError("engine-unavailable", { message: "the fake engine is down" });
  }
}
