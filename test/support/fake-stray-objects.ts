/**
 * An engine's leftovers that a test makes up. Passes test/compliance/stray-objects.suite.ts.
 */
import type { EngineContainer, EngineObjects, EngineThing, StrayObjects } from "../../executor/docker/stray-objects.ts";
import { AppError } from "../../protocol/errors.ts";

export class FakeStrayObjects implements StrayObjects {
  containers: EngineContainer[] = [];
  volumes: EngineThing[] = [];
  networks: EngineThing[] = [];
  down = false;

  async list(): Promise<EngineObjects> {
    this.#answer();
    return { containers: this.containers, volumes: this.volumes, networks: this.networks };
  }

  async removeVolume(name: string): Promise<void> {
    this.#answer();
    this.#refuse(this.containers.some(({ volumes }) => volumes.includes(name)));
    this.volumes = this.volumes.filter((volume) => volume.name !== name);
  }

  async removeNetwork(name: string): Promise<void> {
    this.#answer();
    this.#refuse(this.containers.some(({ networks, state }) => networks.includes(name) && state === "running"));
    this.networks = this.networks.filter((network) => network.name !== name);
  }

  #answer(): void {
    if (this.down) throw new AppError("engine-unavailable", { message: "the fake engine is down" });
  }

  #refuse(isInUse: boolean): void {
    if (isInUse) throw new AppError("engine-error", { message: "in use" });
  }
}
