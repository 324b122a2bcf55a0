/**
 * What the engine files an image under. One that is asked for by tag and digest lies there by its digest alone.
 */
import { parseImageRef } from "../../protocol/image-ref.ts";

/** Throws `image-reference-invalid`. */
export function engineName(reference: string): string {
  const { canonical, registry, repository, digest } = parseImageRef(reference);
  return digest === undefined ? canonical : `${registry}/${repository}@${digest}`;
}
