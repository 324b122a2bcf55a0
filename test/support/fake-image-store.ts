/**
 * An engine's images in memory, and the registries that it pulls from. It passes the same suite as the real one.
 * Pulls of an image that is `slow` wait until the test tells them how to go on; all others are over at once.
 */
import { setImmediate as settle } from "node:timers/promises";

import { type Clock, systemClock } from "../../common/clock.ts";
import type {
  EngineProgress,
  FoundImage,
  ImageStore,
  LeftoverChoice,
  LeftoverSum,
  RegistryAuth,
  StoredImage,
  StorePullOptions,
} from "../../executor/docker/image-store.ts";
import { watchForStall } from "../../executor/docker/stall-watch.ts";
import { AppError } from "../../protocol/errors.ts";
import { parseImageRef } from "../../protocol/image-ref.ts";

/** What a registry has under a name. */
export interface RemoteImage {
  readonly id: string;
  readonly sizeBytes?: number;
  /** Who may pull it; everybody when left out. */
  readonly accounts?: readonly RegistryAuth[];
  readonly slow?: boolean;
}

/** A pull that waits for the test. */
export interface SlowPull {
  readonly name: string;
  readonly signal: AbortSignal;
  tell(progress: EngineProgress): void;
  finish(): void;
  fail(error: Error): void;
}

interface Stored {
  readonly references: Set<string>;
  readonly digests: Set<string>;
  readonly sizeBytes: number;
}

const NO_LEFTOVERS = { layers: 0, sizeBytes: 0 };
const PLAIN = { user: "", entrypoint: [], command: ["/bin/sh"], stopSignal: undefined };

export class FakeImageStore implements ImageStore {
  readonly registry = new Map<string, RemoteImage>();
  /** Containers by name, with the id of the image that each is made of. */
  readonly containers = new Map<string, string>();
  /** Every pull that was begun. */
  readonly pulls: { readonly name: string; readonly auth: RegistryAuth | undefined }[] = [];
  readonly removed: string[] = [];
  /** What an engine that died in the middle of a pull left behind, and how long ago. */
  leftovers = { ...NO_LEFTOVERS, filedAtMs: 0, repository: "" };
  readonly #clock: Clock;
  readonly #stored = new Map<string, Stored>();
  readonly #slow: SlowPull[] = [];
  readonly #failures = new Map<string, Error[]>();

  constructor(clock: Clock = systemClock()) {
    this.#clock = clock;
  }

  /** An image that was built or loaded here, without us. */
  build(reference: string, id: string, sizeBytes = 1): void {
    this.#held(id).references.add(parseImageRef(reference).canonical);
    this.#stored.set(id, { ...this.#held(id), sizeBytes });
  }

  /** An image that somebody else pulled. */
  pulledByOthers(reference: string, id: string, sizeBytes = 1): void {
    this.build(reference, id, sizeBytes);
    this.#held(id).digests.add(digestName(reference, id));
  }

  has(id: string): boolean {
    return this.#stored.has(id);
  }

  /** The next pull of this fails; several failures come in turn. */
  failNext(reference: string, ...errors: readonly Error[]): void {
    const name = parseImageRef(reference).canonical;
    this.#failures.set(name, [...(this.#failures.get(name) ?? []), ...errors]);
  }

  /** The pulls that wait for the test now. */
  get slow(): readonly SlowPull[] {
    return this.#slow;
  }

  async image(reference: string): Promise<FoundImage | undefined> {
    const found = [...this.#stored].find(([id, held]) => id === reference || this.#isNamed(held, reference));
    return found && { ...PLAIN, id: found[0], digests: [...found[1].digests] };
  }

  async list(): Promise<StoredImage[]> {
    return [...this.#stored].map(([id, { references, digests, sizeBytes }]) => ({
      id,
      references: [...references],
      digests: [...digests],
      sizeBytes,
    }));
  }

  async inUse(): Promise<ReadonlySet<string>> {
    return new Set(this.containers.values());
  }

  async pull(name: string, options: StorePullOptions): Promise<void> {
    options.signal.throwIfAborted();
    this.pulls.push({ name, auth: options.auth });
    const failure = this.#failures.get(name)?.shift();
    if (failure !== undefined) throw failure;
    const remote = this.registry.get(name);
    if (remote === undefined) throw new AppError("image-not-found", { message: `no ${name}` });
    if (!isAllowed(remote, options.auth)) throw new AppError("image-auth-failed", { message: `not for you: ${name}` });
    if (remote.slow === true) await this.#goOn(name, options);
    else await settle();
    options.signal.throwIfAborted();
    this.#take(name, remote);
  }

  async remove(nameOrId: string): Promise<"removed" | "in-use"> {
    const found = [...this.#stored].find(([id, held]) => id === nameOrId || this.#isNamed(held, nameOrId));
    if (found === undefined) return "removed";
    const [id, held] = found;
    if ([...this.containers.values()].includes(id)) return "in-use";
    this.removed.push(nameOrId);
    held.references.delete(nameOrId);
    held.digests.delete(nameOrId);
    const repositories = [...held.references].map((name) => parseImageRef(name).repository);
    for (const digest of held.digests) {
      if (!repositories.includes(parseImageRef(digest).repository)) held.digests.delete(digest);
    }
    if (id === nameOrId || held.references.size + held.digests.size === 0) this.#stored.delete(id);
    return "removed";
  }

  async clearLeftovers(choice: LeftoverChoice & { readonly dryRun: boolean }): Promise<LeftoverSum> {
    const { filedAtMs, repository, layers, sizeBytes } = this.leftovers;
    if (filedAtMs >= choice.sinceMs || !choice.repositories.has(repository)) return NO_LEFTOVERS;
    if (!choice.dryRun) this.leftovers = { ...this.leftovers, ...NO_LEFTOVERS };
    return { layers, sizeBytes };
  }

  #goOn(name: string, { signal, onProgress, inactivityMs }: StorePullOptions): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const over = new AbortController();
    const watch = watchForStall({
      clock: this.#clock,
      limitMs: inactivityMs,
      downloadedBytes: async () => undefined,
      signal: AbortSignal.any([signal, over.signal]),
    });
    const tell = (progress: EngineProgress): void => {
      watch.moved();
      onProgress(progress);
    };
    const pull: SlowPull = { name, signal, tell, finish: resolve, fail: reject };
    this.#slow.push(pull);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    watch.stalled.addEventListener("abort", () => reject(new AppError("image-pull-stalled")), { once: true });
    return promise.finally(() => {
      over.abort();
      this.#slow.splice(this.#slow.indexOf(pull), 1);
    });
  }

  /** A tag that was elsewhere moves here. */
  #take(name: string, { id, sizeBytes = 1 }: RemoteImage): void {
    const isDigest = parseImageRef(name).digest !== undefined;
    if (!isDigest) for (const { references } of this.#stored.values()) references.delete(name);
    const held = this.#held(id);
    this.#stored.set(id, { ...held, sizeBytes });
    if (!isDigest) held.references.add(name);
    held.digests.add(isDigest ? name : digestName(name, id));
  }

  #held(id: string): Stored {
    const held = this.#stored.get(id) ?? { references: new Set<string>(), digests: new Set<string>(), sizeBytes: 1 };
    this.#stored.set(id, held);
    return held;
  }

  #isNamed({ references, digests }: Stored, name: string): boolean {
    return references.has(name) || digests.has(name);
  }
}

function isAllowed({ accounts }: RemoteImage, auth: RegistryAuth | undefined): boolean {
  if (accounts === undefined) return true;
  return accounts.some(({ username, password }) => username === auth?.username && password === auth.password);
}

function digestName(reference: string, id: string): string {
  const { registry, repository } = parseImageRef(reference);
  return `${registry}/${repository}@sha256:${Buffer.from(id).toString("hex").padEnd(64, "0").slice(0, 64)}`;
}
