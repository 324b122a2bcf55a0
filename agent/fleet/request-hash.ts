/**
 * One short name for one request, so that a repeat can be told from a different request under the same idempotency key.
 */
import { createHash } from "node:crypto";

import type { CreatePod } from "../../protocol/validator-api.ts";

/** The same for the same wish, in whatever order its fields came. */
export function requestHash({ spec, hostId }: CreatePod): string {
  return createHash("sha256").update(canonical({ spec, hostId })).digest("hex");
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}
