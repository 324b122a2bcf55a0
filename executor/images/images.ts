/**
 * The images of this host, for those who need one: it is here already, or it is pulled, once, however many ask.
 * An image from a registry is given to those to whom the registry gives it: it was pulled without credentials, or with the
 * asker's own. Nobody is given an image while it is being removed, and none is removed that was just given.
 */
import { createHash } from "node:crypto";

import type { Clock } from "../../common/clock.ts";
import { AppError } from "../../protocol/errors.ts";
import type { FoundImage, ImageStore, RegistryAuth } from "../docker/image-store.ts";
import { engineName } from "./engine-name.ts";
import { Flights, type FlightsDeps } from "./flights.ts";
import type { ImageNotes } from "./notes.ts";
import type { PullProgress } from "./progress.ts";

export interface ImagesOptions {
  /** A pull in which nothing moves for so long is given up. */
  readonly inactivityMs: number;
  /** Images that the operator vouches for: given to everybody. */
  readonly vouched: readonly string[];
}

export interface ImagesDeps extends Omit<FlightsDeps, "notes"> {
  readonly store: ImageStore;
  readonly notes: ImageNotes;
}

/** Who asks, and what they show the registry. */
export interface ImageAccess {
  readonly owner: string;
  readonly auth?: RegistryAuth | undefined;
}

export interface EnsureOptions extends ImageAccess {
  /** Nobody waits for it: it does not make other work in the background make way. */
  readonly background?: boolean;
  readonly onProgress?: (progress: PullProgress) => void;
  readonly signal: AbortSignal;
}

/** An image may be removed by somebody else as soon as it was pulled; not for ever, though. */
const TRIES = 3;

export class Images {
  readonly #store: ImageStore;
  readonly #notes: ImageNotes;
  readonly #clock: Clock;
  readonly #flights: Flights;
  readonly #vouched: ReadonlySet<string>;
  /** When each was last given to somebody, on the clock that never jumps. */
  readonly #givenAtMs = new Map<string, number>();
  readonly #leaving = new Map<string, Promise<unknown>>();

  constructor(options: ImagesOptions, deps: ImagesDeps) {
    this.#store = deps.store;
    this.#notes = deps.notes;
    this.#clock = deps.clock;
    this.#flights = new Flights(options, deps);
    this.#vouched = new Set(options.vouched.map(engineName));
  }

  /** What is being pulled, and whether a renter waits for it. */
  get pulling(): Flights["under"] {
    return this.#flights.under;
  }

  onPulling(listener: () => void): () => void {
    return this.#flights.onChange(listener);
  }

  /** The image if it is here and this asker may have it; a pull settles both otherwise. */
  async local(reference: string, access: ImageAccess, signal: AbortSignal): Promise<FoundImage | undefined> {
    const name = engineName(reference);
    for (;;) {
      const found = await this.#store.image(name, signal);
      if (found === undefined || !this.#mayHave(name, found, access)) return undefined;
      const leaving = this.#leaving.get(found.id);
      if (leaving === undefined) return this.#give(found);
      await leaving;
    }
  }

  /**
   * The image, pulled if need be. Who aborts leaves the pull to the others; the last one ends it. Rejects with what
   * ImageStore.pull rejects with, and with the signal's reason at once.
   */
  async ensure(reference: string, options: EnsureOptions): Promise<FoundImage> {
    const { auth, signal, background = false, onProgress = () => undefined } = options;
    const name = engineName(reference);
    for (let tries = 0; tries < TRIES; tries += 1) {
      const here = await this.local(name, options, signal);
      if (here !== undefined) return here;
      const before = await this.#store.image(name, signal);
      const destination = { name, auth, mark: markOf(options) ?? "" };
      await this.#flights.join(destination, { rental: !background, onProgress, signal });
      const found = await this.#store.image(name, signal);
      if (found !== undefined) this.#notePull(name, found, { access: options, isNew: found.id !== before?.id });
    }
    throw new AppError("image-pull-failed", { message: `${name} is missing after its pull.` });
  }

  /** Removes an image, unless it was given to somebody since `sinceMs` (monotonic). Resolves with undefined then. */
  async retire<T>(imageId: string, sinceMs: number, remove: () => Promise<T>): Promise<T | undefined> {
    if ((this.#givenAtMs.get(imageId) ?? -Infinity) >= sinceMs) return undefined;
    const removal = remove();
    this.#leaving.set(
      imageId,
      removal.catch(() => undefined),
    );
    try {
      return await removal;
    } finally {
      this.#leaving.delete(imageId);
    }
  }

  #give(image: FoundImage): FoundImage {
    this.#givenAtMs.set(image.id, this.#clock.monotonic());
    this.#notes.use(image.id);
    return image;
  }

  #mayHave(name: string, { id, digests }: FoundImage, access: ImageAccess): boolean {
    if (this.#vouched.has(name)) return true;
    const note = this.#notes.get(id);
    // Built or loaded here: there is no registry that could be asked.
    if (digests.length === 0 && (note === undefined || note.references.length === 0)) return true;
    const mark = markOf(access);
    return note !== undefined && (note.public || (mark !== undefined && note.provenBy.includes(mark)));
  }

  #notePull(name: string, { id }: FoundImage, pulled: { access: ImageAccess; isNew: boolean }): void {
    const mark = markOf(pulled.access);
    this.#notes.change(id, (note) => ({
      ...note,
      references: pulled.isNew ? [...new Set([...note.references, name])] : note.references,
      public: note.public || mark === undefined,
      provenBy: mark === undefined ? note.provenBy : [...new Set([...note.provenBy, mark])],
    }));
  }
}

/** Stands for an owner with these credentials, and does not tell them; undefined without credentials. */
function markOf({ owner, auth }: ImageAccess): string | undefined {
  if (auth === undefined) return undefined;
  const shown = JSON.stringify([owner, auth.username, auth.password]);
  return createHash("sha256").update(shown).digest("hex").slice(0, 32);
}
