/**
 * The ImageStore port over the Docker Engine API. Every call has a deadline of its own besides the caller's signal, but for
 * a pull, which may take as long as something moves.
 */
import { join } from "node:path";
import { Readable } from "node:stream";
import { finished } from "node:stream/promises";

import Dockerode from "dockerode";
import { z } from "zod";

import type { Clock } from "../../common/clock.ts";
import { AppError } from "../../protocol/errors.ts";
import { parseImageRef } from "../../protocol/image-ref.ts";
import { bounded, orUndefined, READ_DEADLINE_MS, WRITE_DEADLINE_MS } from "./call.ts";
import { toEngineInfo } from "./engine-info.ts";
import { statusOf } from "./errors.ts";
import type {
  FoundImage,
  ImageStore,
  LeftoverChoice,
  LeftoverSum,
  StoredImage,
  StorePullOptions,
} from "./image-store.ts";
import { chosenOf, filedLayers, imageOf, leftoversOf } from "./leftover-layers.ts";
import { PullFailure, pullError } from "./pull-errors.ts";
import { createPullProgress } from "./pull-progress.ts";
import { unfinishedBytes, watchForStall } from "./stall-watch.ts";

export interface DockerImagesOptions {
  readonly socketPath: string;
  readonly clock: Clock;
  /** Where this process finds the files that the engine sees; the same place when left out. */
  readonly engineFiles?: string;
}

/** What the calls need. */
interface Tools {
  readonly docker: Dockerode;
  readonly clock: Clock;
  readonly engineFiles: string;
}

export function createDockerImages({ socketPath, clock, engineFiles = "/" }: DockerImagesOptions): ImageStore {
  const docker = new Dockerode({ socketPath });
  const tools = { docker, clock, engineFiles };
  return {
    image: (reference, signal) => readImage(docker, reference, signal),
    list: (signal) =>
      bounded("list images", READ_DEADLINE_MS, signal, async (abortSignal) => {
        return (await docker.listImages({ abortSignal })).map(toStoredImage);
      }),
    inUse: (signal) =>
      bounded("list containers", READ_DEADLINE_MS, signal, async (abortSignal) => {
        const containers = await docker.listContainers({ all: true, abortSignal });
        return new Set(containers.map(({ ImageID }) => ImageID));
      }),
    pull: (reference, options) => pull(tools, reference, options),
    remove: (nameOrId, signal) =>
      bounded("remove image", WRITE_DEADLINE_MS, signal, (abortSignal) => remove(docker, nameOrId, abortSignal)),
    clearLeftovers: (options, signal) =>
      bounded("clear leftovers", WRITE_DEADLINE_MS, signal, (abortSignal) => clear(tools, options, abortSignal)),
  };
}

function readImage(docker: Dockerode, reference: string, signal: AbortSignal): Promise<FoundImage | undefined> {
  return bounded("inspect image", READ_DEADLINE_MS, signal, async () => {
    const image = await orUndefined(docker.getImage(reference).inspect());
    if (image === undefined) return undefined;
    const config: Partial<typeof image.Config> & { StopSignal?: string } = image.Config ?? {};
    return {
      id: image.Id,
      user: config.User ?? "",
      entrypoint: toArgv(config.Entrypoint),
      command: toArgv(config.Cmd),
      stopSignal: config.StopSignal,
      sizeBytes: image.Size,
      digests: inFull(image.RepoDigests),
    };
  });
}

function toArgv(value: string | string[] | null | undefined): string[] {
  if (value === undefined || value === null) return [];
  return typeof value === "string" ? [value] : value;
}

function toStoredImage({ Id, RepoTags, RepoDigests, Size }: Dockerode.ImageInfo): StoredImage {
  return { id: Id, references: inFull(RepoTags), digests: inFull(RepoDigests), sizeBytes: Size };
}

/** The engine shortens names as docker prints them, and writes `<none>` for a part that is missing. */
function inFull(names: readonly string[] | null | undefined): string[] {
  return (names ?? []).filter((name) => !name.includes("<none>")).map((name) => parseImageRef(name).canonical);
}

async function remove(docker: Dockerode, nameOrId: string, abortSignal: AbortSignal): Promise<"removed" | "in-use"> {
  try {
    await docker.getImage(nameOrId).remove({ abortSignal });
    return "removed";
  } catch (error) {
    if (statusOf(error) === 404) return "removed";
    if (statusOf(error) === 409) return "in-use";
    throw error;
  }
}

async function clear(
  { docker, engineFiles }: Tools,
  { dryRun, ...choice }: LeftoverChoice & { readonly dryRun: boolean },
  abortSignal: AbortSignal,
): Promise<LeftoverSum> {
  const { rootDir, storage } = toEngineInfo(await docker.info());
  const filed = await filedLayers(join(engineFiles, rootDir), storage.driver);
  const images = filed.length === 0 ? [] : await docker.listImages({ all: true, abortSignal });
  const inspected = await Promise.all(images.map(({ Id }) => orUndefined(docker.getImage(Id).inspect())));
  const needed = inspected.map((image) => image?.RootFS?.Layers ?? []);
  const { layers, piles } = chosenOf(leftoversOf(filed, needed), choice);
  for (const { id, archive } of dryRun ? [] : piles.map(imageOf)) {
    abortSignal.throwIfAborted();
    const stream = await docker.loadImage(Readable.from([archive]), { abortSignal });
    stream.resume();
    await finished(stream, { writable: false });
    await remove(docker, id, abortSignal);
  }
  return { layers: layers.length, sizeBytes: layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}

async function pull(
  { docker, clock, engineFiles }: Tools,
  reference: string,
  options: StorePullOptions,
): Promise<void> {
  const { auth, onProgress, inactivityMs, signal } = options;
  const over = new AbortController();
  const watch = watchForStall({
    clock,
    limitMs: inactivityMs,
    downloadedBytes: downloadsOf(docker, engineFiles),
    signal: AbortSignal.any([signal, over.signal]),
  });
  const abortSignal = AbortSignal.any([signal, watch.stalled]);
  const progress = createPullProgress();
  try {
    const credentials = auth === undefined ? {} : { authconfig: { ...auth, serveraddress: "" } };
    await throughout(await docker.pull(reference, { abortSignal, ...credentials }), (message) => {
      watch.moved();
      const sum = progress(message);
      if (sum !== undefined) onProgress(sum);
    });
  } catch (error) {
    signal.throwIfAborted();
    if (!watch.stalled.aborted) throw pullError(error);
    const message = `Nothing came from the registry for ${inactivityMs / 1000} s.`;
    throw new AppError("image-pull-stalled", { message, cause: error });
  } finally {
    over.abort();
  }
}

/** Where the engine keeps what is on its way is asked only once. */
function downloadsOf(docker: Dockerode, engineFiles: string): () => Promise<number | undefined> {
  let rootDir: Promise<string | undefined> | undefined;
  return async () => {
    rootDir ??= docker.info().then(
      (info: unknown) => toEngineInfo(info).rootDir,
      () => undefined,
    );
    const folder = await rootDir;
    return folder === undefined ? undefined : unfinishedBytes(join(engineFiles, folder));
  };
}

const Message = z.looseObject({ status: z.string().optional(), error: z.string().optional() });

/** Hands on each message. Throws what the engine tells as an error, and when it stops before it has said how it ended. */
async function throughout(
  stream: AsyncIterable<string | Buffer>,
  onMessage: (message: unknown) => void,
): Promise<void> {
  let ending: string | undefined;
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines.filter((one) => one.trim() !== "")) {
      const message = Message.parse(JSON.parse(line));
      if (message.error !== undefined) throw new PullFailure(message.error);
      ending = message.status?.startsWith("Status: ") === true ? message.status : ending;
      onMessage(message);
    }
  }
  if (ending === undefined) throw new PullFailure("the engine stopped telling before the pull was over");
}
