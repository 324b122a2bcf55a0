/**
 * Backups of volumes, by restic: of an image as it is at one instant, so that what is encrypted stays so and nothing needs
 * the key. What was uploaded before an interruption is found and not uploaded again; a restore that was interrupted leaves
 * nothing and is begun anew.
 */
import { z } from "zod";

import type { Clock } from "../../../common/clock.ts";
import type { Logger } from "../../../common/logger.ts";
import { AppError } from "../../../protocol/errors.ts";
import { BackupId, type BackupProgress, type BackupTarget, type VolumeId } from "../../../protocol/volume.ts";
import type { StorageConfig } from "../config.ts";
import type { ImageFacts, VolumeCopies } from "../volumes/copies.ts";
import type { VolumeOrder } from "../volumes/order.ts";
import { volumeIdOf, type VolumeRecord } from "../volumes/record.ts";
import { collectInto, type Reader, type ResticOptions, runRestic } from "./run-restic.ts";
import { writeSparse } from "./sparse-writer.ts";

export interface BackupsDeps {
  readonly copies: VolumeCopies;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface BackupCall {
  readonly target: BackupTarget;
  readonly onProgress: (progress: BackupProgress) => void;
  readonly signal: AbortSignal;
}

const OURS = "lium-volume";

export class Backups {
  readonly #config: StorageConfig["backups"];
  readonly #deps: BackupsDeps;

  constructor(config: StorageConfig["backups"], deps: BackupsDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  /** Makes the repository when there is none. Throws `backup-failed`, and what a snapshot throws. */
  backup(volumeId: VolumeId, call: BackupCall): Promise<BackupId> {
    return this.#holding(call.target, () =>
      this.#deps.copies.withImage(
        volumeId,
        async (image, facts) => {
          const options = this.#options(call);
          await ensureRepository(options);
          const tags = tagsOf(volumeId, facts).join(",");
          let backupId: BackupId | undefined;
          const read = linesOf((line) => {
            if (line.message_type === "summary") backupId = line.snapshot_id;
            if (line.message_type === "status")
              call.onProgress({ doneBytes: line.bytes_done, totalBytes: line.total_bytes });
          });
          await runRestic(["backup", "--json", `--tag=${tags}`, "--host=lium", "--", image], read, options);
          if (backupId === undefined) throw new AppError("backup-failed", { message: "restic named no backup." });
          return backupId;
        },
        call.signal,
      ),
    );
  }

  /**
   * Makes a volume of a backup: of the newest one of that owner and name when none is given. Throws `backup-failed`, and what
   * VolumeCopies.restore throws.
   */
  restore(
    order: Pick<VolumeOrder, "owner" | "name">,
    backupId: BackupId | undefined,
    call: BackupCall,
  ): Promise<VolumeRecord> {
    const { copies } = this.#deps;
    return this.#holding(call.target, async () => {
      const options = this.#options(call);
      const { id, path, facts } = await findBackup(volumeIdOf(order.owner, order.name), backupId, options);
      const totalBytes = facts.imageBytes;
      const fill = async (file: string): Promise<void> => {
        let written = 0;
        const read: Reader = async (stdout, moved) => {
          const onProgress = (doneBytes: number): void => {
            moved();
            call.onProgress({ doneBytes, totalBytes });
          };
          written = await writeSparse(stdout, file, { maxBytes: totalBytes, onProgress });
        };
        await runRestic(["dump", id, path], read, options);
        if (written !== totalBytes) {
          throw new AppError("backup-failed", { message: `The image has ${written} bytes, not ${totalBytes}.` });
        }
      };
      return copies.restore(order, { facts, fill }, call.signal);
    });
  }

  #options({ target, signal }: BackupCall): ResticOptions {
    const { inactivitySeconds, ...speeds } = this.#config;
    return { target, signal, clock: this.#deps.clock, inactivityMs: inactivitySeconds * 1000, ...speeds };
  }

  /** While it goes on, no log line can show a secret of the target. */
  async #holding<T>({ password, s3 }: BackupTarget, work: () => Promise<T>): Promise<T> {
    const secrets = [password, s3?.secretAccessKey, s3?.sessionToken].filter((secret) => secret !== undefined);
    const releases = secrets.map((secret) => this.#deps.log.secrets.add(secret));
    try {
      return await work();
    } finally {
      for (const release of releases) release();
    }
  }
}

async function ensureRepository(options: ResticOptions): Promise<void> {
  try {
    await runRestic(["cat", "config"], collectInto([]), options);
  } catch (error) {
    options.signal.throwIfAborted();
    // Refused where there is a repository already: then the first answer is the one that says what is wrong.
    const patient = { ...options, inactivityMs: Math.max(options.inactivityMs, INIT_MS) };
    await runRestic(["init"], collectInto([]), patient).catch(() => {
      throw error;
    });
  }
}

/** It makes a key, says nothing meanwhile, and takes seconds on a busy machine. */
const INIT_MS = 60_000;

const Snapshots = z
  .array(
    z.object({ id: BackupId, time: z.string(), paths: z.array(z.string()), tags: z.array(z.string()).default([]) }),
  )
  .nullable();

async function findBackup(
  volumeId: VolumeId,
  backupId: BackupId | undefined,
  options: ResticOptions,
): Promise<{ id: BackupId; path: string; facts: ImageFacts }> {
  const chunks: Buffer[] = [];
  const which = backupId === undefined ? [`--tag=${OURS},volume=${volumeId}`] : [`--tag=${OURS}`, backupId];
  await runRestic(["snapshots", "--json", ...which], collectInto(chunks), options);
  const found = Snapshots.parse(JSON.parse(Buffer.concat(chunks).toString("utf8"))) ?? [];
  const newest = found.toSorted((a, b) => Date.parse(b.time) - Date.parse(a.time))[0];
  const facts = newest && factsIn(newest.tags);
  const path = newest?.paths[0];
  if (newest === undefined || facts === undefined || path === undefined) {
    throw new AppError("backup-failed", { message: "There is no such backup of a volume in that repository." });
  }
  return { id: newest.id, path, facts };
}

function tagsOf(volumeId: VolumeId, facts: ImageFacts): string[] {
  const { sizeBytes: size, madeBytes: made, filledBytes: filled, imageBytes: image, encrypted } = facts;
  const named = { volume: volumeId, size, made, filled, image, encrypted };
  return [OURS, ...Object.entries(named).map(([name, value]) => `${name}=${value}`)];
}

const Bytes = z.coerce.number().int().positive();
const Facts = z.object({ size: Bytes, made: Bytes, filled: Bytes, image: Bytes, encrypted: z.stringbool() });

function factsIn(tags: readonly string[]): ImageFacts | undefined {
  const parsed = Facts.safeParse(Object.fromEntries(tags.map((tag) => tag.split("=", 2))));
  if (!parsed.success) return undefined;
  const { size, made, filled, image, encrypted } = parsed.data;
  return { sizeBytes: size, madeBytes: made, filledBytes: filled, imageBytes: image, encrypted };
}

const Line = z.discriminatedUnion("message_type", [
  z.object({ message_type: z.literal("status"), total_bytes: z.int().default(0), bytes_done: z.int().default(0) }),
  z.object({ message_type: z.literal("summary"), snapshot_id: BackupId }),
]);

/** Of what restic says with --json; other messages are passed over. */
function linesOf(onLine: (line: z.infer<typeof Line>) => void): Reader {
  return async (stdout, moved) => {
    let rest = "";
    let last = "";
    for await (const chunk of stdout) {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop() ?? "";
      for (const text of lines) {
        const line = parseLine(text);
        // It says the same again and again while nothing moves, but for the time.
        const said = line === undefined ? text : JSON.stringify(line);
        if (said !== last) moved();
        last = said;
        if (line !== undefined) onLine(line);
      }
    }
  };
}

function parseLine(text: string): z.infer<typeof Line> | undefined {
  try {
    return Line.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
