/**
 * What this host remembers of its images, in one file: which ones we brought here and when they were last used, which a
 * registry gives to anybody, and who has shown credentials for the others. What is lost or cannot be read is unproven:
 * then nobody is given the image before a registry was asked again, and nothing of it is removed as ours.
 */
import { readFile, rename } from "node:fs/promises";

import { z } from "zod";

import { writeFileAtomic } from "../../common/atomic-file.ts";
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";

const ImageNote = z.strictObject({
  /** The names that we pulled it by; none when others brought it here. */
  references: z.array(z.string()),
  lastUsedAtMs: z.number(),
  /** It was pulled without credentials. */
  public: z.boolean(),
  /** Marks of those who pulled it with credentials of their own. */
  provenBy: z.array(z.string()),
});
export type ImageNote = z.infer<typeof ImageNote>;

/** One that others brought here. */
const FOREIGN: ImageNote = { references: [], lastUsedAtMs: 0, public: false, provenBy: [] };
const WRITE_USE_MS = 60_000;
const VERSION = 1;
const NotesFile = z.object({
  version: z.literal(VERSION),
  images: z.record(z.string(), z.unknown()),
  unfinished: z.array(z.string()).catch([]),
});

/** What the file holds. */
interface Notes {
  readonly images: Map<string, ImageNote>;
  /** Names of pulls that were begun and of which nobody knows how they ended. */
  readonly unfinished: Set<string>;
}

const NOTHING = { version: VERSION, images: {}, unfinished: [] };

export interface NotesDeps {
  readonly clock: Clock;
  readonly log: Logger;
}

export class ImageNotes {
  readonly #path: string;
  readonly #deps: NotesDeps;
  readonly #notes: Map<string, ImageNote>;
  readonly #unfinished: Set<string>;
  #changed = false;
  #savedAtMs = -Infinity;
  #saving: Promise<void> | undefined;

  private constructor(path: string, deps: NotesDeps, { images, unfinished }: Notes) {
    this.#path = path;
    this.#deps = deps;
    this.#notes = images;
    this.#unfinished = unfinished;
  }

  /** A file that cannot be read is set aside; a note that cannot be read is left out. */
  static async open(path: string, deps: NotesDeps): Promise<ImageNotes> {
    return new ImageNotes(path, deps, await readNotes(path, deps));
  }

  get(imageId: string): ImageNote | undefined {
    return this.#notes.get(imageId);
  }

  /**
   * The image is used now; one that we did not know before is not ours. That alone is written once a minute at most: a
   * crash makes the last use that much older.
   */
  use(imageId: string): void {
    const { clock } = this.#deps;
    const isKnown = this.#notes.has(imageId);
    this.#notes.set(imageId, { ...(this.#notes.get(imageId) ?? FOREIGN), lastUsedAtMs: clock.now() });
    this.#changed = true;
    if (!isKnown || clock.monotonic() - this.#savedAtMs >= WRITE_USE_MS) this.#save();
  }

  change(imageId: string, change: (note: ImageNote) => ImageNote): void {
    const note = change(this.#notes.get(imageId) ?? FOREIGN);
    this.#notes.set(imageId, { ...note, lastUsedAtMs: this.#deps.clock.now() });
    this.#save();
  }

  /** Forgets all other images, which are gone; but not what was noted since `sinceMs`, when it was found out. */
  keepOnly(imageIds: ReadonlySet<string>, sinceMs: number): void {
    const gone = [...this.#notes].filter(([id, note]) => !imageIds.has(id) && note.lastUsedAtMs < sinceMs);
    for (const [id] of gone) this.#notes.delete(id);
    if (gone.length > 0) this.#save();
  }

  /** Pulls that may have left something behind: the engine or we died in the middle of them. */
  get unfinished(): readonly string[] {
    return [...this.#unfinished];
  }

  beginPull(name: string): void {
    this.#unfinished.add(name);
    this.#save();
  }

  /** It is over, and nothing of it can lie about. */
  endPulls(names: readonly string[]): void {
    const ended = names.filter((name) => this.#unfinished.delete(name));
    if (ended.length > 0) this.#save();
  }

  /** Resolves when everything is on the disk. */
  async close(): Promise<void> {
    if (this.#changed) this.#save();
    await this.#saving;
  }

  /** One write at a time; what changes meanwhile goes into the next one. */
  #save(): void {
    this.#changed = true;
    this.#saving ??= this.#write().finally(() => (this.#saving = undefined));
  }

  async #write(): Promise<void> {
    while (this.#changed) {
      this.#changed = false;
      this.#savedAtMs = this.#deps.clock.monotonic();
      const images = Object.fromEntries(this.#notes);
      const content = { version: VERSION, images, unfinished: this.unfinished };
      try {
        await writeFileAtomic(this.#path, JSON.stringify(content), 0o600);
      } catch (error) {
        this.#deps.log.warn("what is known of the images could not be written down", { error });
      }
    }
  }
}

async function readNotes(path: string, deps: NotesDeps): Promise<Notes> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  const file = NotesFile.safeParse(text === undefined ? NOTHING : parsed(text));
  if (!file.success) {
    const setAside = `${path}.damaged-${deps.clock.now()}`;
    await rename(path, setAside);
    deps.log.error("what was known of the images cannot be read and was set aside", { setAside });
    return { images: new Map(), unfinished: new Set() };
  }
  const { images, unfinished } = file.data;
  const notes = Object.entries(images).map(([id, note]) => [id, ImageNote.safeParse(note).data] as const);
  const readable = notes.filter((entry): entry is [string, ImageNote] => entry[1] !== undefined);
  return { images: new Map(readable), unfinished: new Set(unfinished) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
