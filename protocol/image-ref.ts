/**
 * Names of container images, read by the grammar that Docker itself uses.
 *
 * A reference that passes here is taken by the engine with the same meaning: same registry, same repository, same tag.
 */
import { z } from "zod";

import { AppError } from "./errors.ts";

const DEFAULT_REGISTRY = "docker.io";
const LEGACY_DEFAULT_REGISTRY = "index.docker.io";
const OFFICIAL = "library/";
const DEFAULT_TAG = "latest";
const MAX_NAME_LENGTH = 255;
const MAX_REFERENCE_LENGTH = 1024;

const LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?";
const REGISTRY = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[A-Fa-f0-9:]+\\])(?::[0-9]+)?$`);
const COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const REPOSITORY = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`);
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;
const IMAGE_ID = /^[0-9a-f]{64}$/;

export interface ImageRef {
  /** `docker.io` when none was written. */
  readonly registry: string;
  /** With `library/` before Docker's official images. */
  readonly repository: string;
  /** `latest` when neither a tag nor a digest was written. */
  readonly tag?: string;
  readonly digest?: string;
  /** Everything written out, for the engine: `docker.io/library/debian:latest`. */
  readonly canonical: string;
  /** As docker prints it, for people: `debian:latest`. */
  readonly familiar: string;
}

/** Throws `image-reference-invalid`; `details.reason` says what is wrong. */
export function parseImageRef(text: string): ImageRef {
  if (text.length > MAX_REFERENCE_LENGTH) throw refusal(`it is longer than ${MAX_REFERENCE_LENGTH} characters`);
  if (IMAGE_ID.test(text)) throw refusal("64 hexadecimal digits are an image id, not a name");
  const { name, tag, digest } = splitReference(text);
  const { registry, repository } = splitName(name);
  checkName(registry, repository);
  if (tag !== undefined && !TAG.test(tag)) throw refusal("the tag has a character or a length that Docker refuses");
  if (digest !== undefined && !DIGEST.test(digest)) throw refusal("the digest must be sha256 or sha512 in full");
  return assemble({ registry, repository, tag: tag ?? (digest === undefined ? DEFAULT_TAG : undefined), digest });
}

/** A reference in, the same reference without surrounding blanks out; it is not written out in full. */
export const ImageReference = z
  .string()
  .trim()
  .transform((text, context) => {
    try {
      parseImageRef(text);
      return text;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
      return z.NEVER;
    }
  })
  .describe("An image as [registry/]name[:tag][@digest].");

interface Parts {
  readonly registry: string;
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

function refusal(reason: string): AppError {
  return new AppError("image-reference-invalid", {
    message: `The image reference was refused: ${reason}.`,
    details: { reason },
  });
}

function splitReference(text: string): { name: string; tag: string | undefined; digest: string | undefined } {
  const at = text.indexOf("@");
  const digest = at === -1 ? undefined : text.slice(at + 1);
  const named = at === -1 ? text : text.slice(0, at);
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  if (colon === -1) return { name: named, tag: undefined, digest };
  return { name: named.slice(0, colon), tag: named.slice(colon + 1), digest };
}

/** The first component is a registry only when it looks like one; otherwise the whole name lives on Docker Hub. */
function splitName(name: string): { registry: string; repository: string } {
  const slash = name.indexOf("/");
  if (slash === -1) return { registry: DEFAULT_REGISTRY, repository: OFFICIAL + name };
  const first = name.slice(0, slash);
  const isRegistry = /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
  const registry = !isRegistry || first === LEGACY_DEFAULT_REGISTRY ? DEFAULT_REGISTRY : first;
  const repository = isRegistry ? name.slice(slash + 1) : name;
  const isOfficial = registry === DEFAULT_REGISTRY && !repository.includes("/");
  return { registry, repository: isOfficial ? OFFICIAL + repository : repository };
}

function checkName(registry: string, repository: string): void {
  if (!REGISTRY.test(registry)) throw refusal("the registry is not a host name with an optional port");
  if (repository !== repository.toLowerCase()) throw refusal("the repository must be in lower case");
  if (!REPOSITORY.test(repository)) throw refusal("the repository has a character or a separator that Docker refuses");
  if (repository.length > MAX_NAME_LENGTH) {
    throw refusal(`its repository is longer than ${MAX_NAME_LENGTH} characters`);
  }
}

function assemble({ registry, repository, tag, digest }: Parts): ImageRef {
  const suffix = (tag === undefined ? "" : `:${tag}`) + (digest === undefined ? "" : `@${digest}`);
  return {
    registry,
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
    canonical: `${registry}/${repository}${suffix}`,
    familiar: familiarName(registry, repository) + suffix,
  };
}

function familiarName(registry: string, repository: string): string {
  if (registry !== DEFAULT_REGISTRY) return `${registry}/${repository}`;
  const image = repository.slice(OFFICIAL.length);
  return repository.startsWith(OFFICIAL) && !image.includes("/") ? image : repository;
}
