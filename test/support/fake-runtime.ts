/**
 * A container engine in memory: the ContainerRuntime port without containers. It passes the same suite as the real one.
 * Tests drive what an engine would do by itself (`exit`), take it away (`down`) and make calls fail (`failNext`).
 */
import { setTimeout as sleep } from "node:timers/promises";

import { toDevices } from "../../executor/docker/container-devices.ts";
import { toEngineInfo } from "../../executor/docker/engine-info.ts";
import type { FoundImage } from "../../executor/docker/image-store.ts";
import type {
  ContainerRuntime,
  ContainerSpec,
  EngineInfo,
  ImageInfo,
  RuntimeEvent,
  SeenContainer,
} from "../../executor/docker/runtime.ts";
import type { EnsureOptions, Images } from "../../executor/images/images.ts";
import { AppError } from "../../protocol/errors.ts";
import type { LogLine, LogQuery } from "../../protocol/pod.ts";

interface Container {
  seen: SeenContainer;
  readonly spec: ContainerSpec;
  logs: LogLine[];
}

type Verb = Exclude<keyof ContainerRuntime, "logs" | "events"> | "image" | "pull";

export class FakeRuntime implements ContainerRuntime {
  readonly containers = new Map<string, Container>();
  /** Local images by reference. */
  readonly images = new Map<string, ImageInfo>();
  /** What a registry would give. */
  readonly registry = new Map<string, ImageInfo>();
  readonly calls: string[] = [];
  /** Host ports in use by others. */
  readonly busyPorts = new Set<string>();
  down = false;
  /** What a program in a container does to the world; the status that it ends with when it is not 0. */
  onExec: (name: string, argv: readonly string[]) => number | void = () => undefined;
  /** What the engine says of itself. */
  engine: EngineInfo = toEngineInfo({
    ServerVersion: "fake",
    DockerRootDir: "/",
    Driver: "overlay2",
    DriverStatus: [["Backing Filesystem", "extfs"]],
    Runtimes: { runc: {} },
    DefaultRuntime: "runc",
    SecurityOptions: ["name=seccomp,profile=builtin"],
    MemoryLimit: true,
    CpuCfsQuota: true,
    PidsLimit: true,
  });
  readonly #failures = new Map<Verb, Error[]>();
  readonly #subscribers = new Set<{ label: string; push: (event: RuntimeEvent) => void }>();
  #startedAtMs = 1_700_000_000_000;
  #ids = 0;
  #hangPull = false;

  failNext(verb: Verb, error: Error): void {
    this.#failures.set(verb, [...(this.#failures.get(verb) ?? []), error]);
  }

  /** The next pull sends nothing until it is given up. */
  hangNextPull(): void {
    this.#hangPull = true;
  }

  /** The main process ends by itself. */
  exit(name: string, exitCode: number, oomKilled = false, finishedAtMs = this.#tick()): void {
    const container = this.#existing(name);
    container.seen = { ...container.seen, state: "exited", exitCode, oomKilled, finishedAtMs };
    this.#emit(name, "die");
  }

  async ping(): Promise<void> {
    this.#enter("ping", "");
  }

  /** Programs run in containers. */
  async exec(name: string, argv: readonly string[]): Promise<number> {
    this.#enter("exec", `${name} ${argv.join(" ")}`);
    if (this.#existing(name).seen.state !== "running") throw new AppError("engine-error", { message: "not running" });
    return this.onExec(name, argv) ?? 0;
  }

  async info(): Promise<EngineInfo> {
    this.#enter("info", "");
    return this.engine;
  }

  /** What pods see of the images: those of this engine, pulled from its registry. */
  get imagesPort(): Pick<Images, "local" | "ensure"> {
    return {
      local: async (reference) => withDigests(await this.image(reference)),
      ensure: async (reference, { onProgress = () => undefined, signal }) => {
        const image = withDigests(
          (await this.image(reference)) ?? (await this.pull(reference, { onProgress, signal })),
        );
        if (image === undefined) throw new AppError("image-not-found");
        return image;
      },
    };
  }

  async image(reference: string): Promise<ImageInfo | undefined> {
    this.#enter("image", reference);
    return this.images.get(reference) ?? [...this.images.values()].find((image) => image.id === reference);
  }

  async pull(reference: string, options: Pick<EnsureOptions, "auth" | "onProgress" | "signal">): Promise<ImageInfo> {
    this.#enter("pull", reference);
    if (this.#hangPull) {
      this.#hangPull = false;
      await sleep(60_000, undefined, { signal: options.signal });
    }
    options.signal.throwIfAborted();
    const image = this.registry.get(reference);
    if (image === undefined) throw new AppError("image-not-found", { message: `no ${reference}` });
    options.onProgress?.({ doneBytes: 1, totalBytes: 2 });
    await sleep(0, undefined, { signal: options.signal });
    this.images.set(reference, image);
    return image;
  }

  async create(spec: ContainerSpec): Promise<string> {
    this.#enter("create", spec.name);
    if (this.containers.has(spec.name)) throw new AppError("name-taken");
    if ((await this.image(spec.Image)) === undefined) throw new AppError("image-not-found");
    this.#ids += 1;
    const id = `fake${this.#ids}`;
    const seen: SeenContainer = {
      id,
      name: spec.name,
      state: "created",
      labels: spec.Labels,
      startedAtMs: undefined,
      finishedAtMs: undefined,
      exitCode: 0,
      oomKilled: false,
      devices: toDevices({ HostConfig: spec.HostConfig, Config: spec }),
    };
    this.containers.set(spec.name, { seen, spec, logs: [] });
    this.#emit(spec.name, "create");
    return id;
  }

  async start(name: string): Promise<void> {
    this.#enter("start", name);
    const container = this.#existing(name);
    if (container.seen.state === "running") return;
    for (const hosts of Object.values(container.spec.HostConfig.PortBindings)) {
      for (const { HostPort } of hosts) {
        if (this.busyPorts.has(HostPort) || this.#publisherOf(HostPort, name)) throw new AppError("port-busy");
      }
    }
    container.seen = { ...container.seen, state: "running", startedAtMs: this.#tick(), exitCode: 0, oomKilled: false };
    this.#emit(name, "start");
  }

  async stop(name: string): Promise<void> {
    this.#enter("stop", name);
    const container = this.containers.get(name);
    if (container?.seen.state !== "running" && container?.seen.state !== "paused") return;
    container.seen = { ...container.seen, state: "exited", exitCode: 143, finishedAtMs: this.#tick() };
    this.#emit(name, "die");
  }

  async remove(name: string): Promise<void> {
    this.#enter("remove", name);
    if (!this.containers.delete(name)) return;
    this.#emit(name, "destroy");
  }

  async inspect(name: string): Promise<SeenContainer | undefined> {
    this.#enter("inspect", name);
    return this.containers.get(name)?.seen;
  }

  async list(label: string | undefined): Promise<SeenContainer[]> {
    this.#enter("list", label ?? "all");
    const all = [...this.containers.values()].map((container) => container.seen);
    return label === undefined ? all : all.filter(({ labels }) => label in labels);
  }

  async *logs(name: string, query: LogQuery): AsyncGenerator<LogLine> {
    const lines = this.containers.get(name)?.logs ?? [];
    yield* query.tail === 0 ? [] : lines.slice(-query.tail);
  }

  async *events(label: string, signal: AbortSignal): AsyncGenerator<RuntimeEvent> {
    const queue: RuntimeEvent[] = [];
    let wake = Promise.withResolvers<void>();
    const subscriber = {
      label,
      push: (event: RuntimeEvent) => {
        queue.push(event);
        wake.resolve();
      },
    };
    signal.addEventListener("abort", () => wake.resolve(), { once: true });
    this.#subscribers.add(subscriber);
    try {
      while (!signal.aborted) {
        for (let event = queue.shift(); event !== undefined; event = queue.shift()) yield event;
        await wake.promise;
        wake = Promise.withResolvers();
      }
    } finally {
      this.#subscribers.delete(subscriber);
    }
  }

  #enter(verb: Verb, about: string): void {
    this.calls.push(about === "" ? verb : `${verb} ${about}`);
    if (this.down) throw new AppError("engine-unavailable", { message: `${verb}: the fake engine is down` });
    const failure = this.#failures.get(verb)?.shift();
    if (failure !== undefined) throw failure;
  }

  #existing(name: string): Container {
    const container = this.containers.get(name);
    if (container === undefined) throw new AppError("engine-error", { message: `no such container: ${name}` });
    return container;
  }

  #publisherOf(hostPort: string, except: string): boolean {
    return [...this.containers.values()].some(
      ({ seen, spec }) =>
        seen.name !== except &&
        seen.state === "running" &&
        Object.values(spec.HostConfig.PortBindings).some((hosts) => hosts.some((host) => host.HostPort === hostPort)),
    );
  }

  #emit(containerName: string, action: string): void {
    const labels = this.containers.get(containerName)?.seen.labels;
    for (const subscriber of this.#subscribers) {
      if (labels === undefined || subscriber.label in labels) subscriber.push({ containerName, action });
    }
  }

  #tick(): number {
    this.#startedAtMs += 1;
    return this.#startedAtMs;
  }
}

function withDigests(image: ImageInfo | undefined): FoundImage | undefined {
  return image && { ...image, digests: [] };
}
