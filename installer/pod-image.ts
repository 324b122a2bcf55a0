/**
 * An image for pods on a machine that reaches no registry: a small Debian, made with mmdebstrap from the machine's own
 * apt sources. An image that is there, or that can be pulled, is used as it is.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { exec } from "../common/exec.ts";
import { toAppError } from "../protocol/errors.ts";
import { packagesStep, releaseSources } from "./apt.ts";
import { applySteps, type Say } from "./step.ts";

const INSPECT_DEADLINE_MS = 15_000;
const PULL_DEADLINE_MS = 10 * 60_000;
const BUILD_DEADLINE_MS = 10 * 60_000;

/** The tag of the image that is built here. */
export const BUILT_IMAGE = "lium/debian:demo";

export interface ImageInput {
  readonly say: Say;
  readonly signal: AbortSignal;
}

/** The reference to use: the wanted image when it can be had, else the one that is built. */
export async function ensurePodImage(wanted: string, input: ImageInput): Promise<string> {
  if (await isLocal(wanted, input.signal)) return wanted;
  if (wanted !== BUILT_IMAGE) {
    input.say(`Pulling ${wanted} ...`);
    try {
      await exec("docker", ["pull", "--quiet", wanted], { signal: input.signal, timeoutMs: PULL_DEADLINE_MS });
      return wanted;
    } catch (error) {
      input.signal.throwIfAborted();
      input.say(`It cannot be pulled (${firstLine(toAppError(error).message)}); a small Debian is used in its place.`);
    }
  }
  await buildDebianImage({ tag: BUILT_IMAGE, packages: [], changes: ['CMD ["bash"]'] }, input);
  return BUILT_IMAGE;
}

export interface DebianImage {
  readonly tag: string;
  /** Besides the minimum. */
  readonly packages: readonly string[];
  /** Instructions of a Dockerfile, as `docker import --change` takes them. */
  readonly changes: readonly string[];
}

/** Makes a small Debian of this machine's release, from this machine's own apt sources; does nothing when the tag exists. */
export async function buildDebianImage(image: DebianImage, { say, signal }: ImageInput): Promise<void> {
  const { tag, packages, changes } = image;
  if (await isLocal(tag, signal)) return;
  await applySteps([packagesStep("Installing mmdebstrap", ["mmdebstrap"], signal)], say);
  say(`Building ${tag} ...`);
  const dir = await mkdtemp(join(tmpdir(), "lium-image-"));
  try {
    const [tar, sources] = [join(dir, "root.tar"), join(dir, "own.sources")];
    const release = await ownRelease();
    await writeFile(sources, await releaseSources(release));
    const include = packages.length === 0 ? [] : [`--include=${packages.join(",")}`];
    const limits = { signal, timeoutMs: BUILD_DEADLINE_MS, maxOutputBytes: 8 * 2 ** 20 };
    await exec("mmdebstrap", ["--variant=minbase", ...include, release, tar, sources], limits);
    await exec("docker", ["import", ...changes.flatMap((change) => ["--change", change]), tar, tag], limits);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** The code name of this machine's release. */
async function ownRelease(): Promise<string> {
  return /^VERSION_CODENAME=(\S+)$/m.exec(await readFile("/etc/os-release", "utf8"))?.[1] ?? "stable";
}

async function isLocal(reference: string, signal: AbortSignal): Promise<boolean> {
  const options = { signal, timeoutMs: INSPECT_DEADLINE_MS, allowExitCodes: [0, 1] };
  return (await exec("docker", ["image", "inspect", "--format", "{{.Id}}", reference], options)).exitCode === 0;
}

function firstLine(text: string): string {
  return text.split("\n")[0] ?? "";
}
