/** Why a pull failed: the registries' words, as the engine passes them on. */
import { describe, expect, it } from "vitest";

import { PullFailure, pullError } from "../../../../executor/docker/pull-errors.ts";

const DIGEST = `sha256:${"0".repeat(64)}`;

describe("a failed pull", () => {
  it.each([
    ["manifest for debian:99 not found: manifest unknown: manifest unknown", "image-not-found"],
    [
      "pull access denied for x, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
      "image-not-found",
    ],
    ["name unknown: repository name not known to registry", "image-not-found"],
    ['Head "http://127.0.0.1:5000/v2/x/manifests/1": no basic auth credentials', "image-auth-failed"],
    ["unauthorized: authentication required", "image-auth-failed"],
    ["denied: requested access to the resource is denied", "image-auth-failed"],
    ["toomanyrequests: You have reached your pull rate limit.", "image-rate-limited"],
    ["received unexpected HTTP status: 429 Too Many Requests", "image-rate-limited"],
    [`filesystem layer verification failed for digest ${DIGEST}`, "image-digest-mismatch"],
    [`manifest verification failed for digest ${DIGEST}`, "image-digest-mismatch"],
    ["no matching manifest for linux/amd64 in the manifest list entries", "image-incompatible"],
    ["write /var/lib/docker/tmp/GetImageBlob1: no space left on device", "disk-low"],
    ["received unexpected HTTP status: 500 Internal Server Error", "image-pull-failed"],
    ["unexpected EOF", "image-pull-failed"],
    ["dial tcp 127.0.0.1:1: connect: connection refused", "image-pull-failed"],
  ])("with the words %s is %s", (words, code) => {
    expect(pullError(new PullFailure(words)).code).toBe(code);
    expect(pullError(Object.assign(new Error(words), { statusCode: 500 })).code).toBe(code);
  });

  it("without an answer of the engine says nothing about the registry", () => {
    expect(pullError(new Error("connect ECONNREFUSED /var/run/docker.sock")).code).toBe("engine-unavailable");
  });

  it.each([
    ["toomanyrequests: retry-after: 3s, allowed: 44000/minute", 3_000],
    ["toomanyrequests: retry-after: 587.146µs, allowed: 44000/minute", 0.587146],
    ["toomanyrequests: Retry-After: 1m2.5s", 62_500],
    ["toomanyrequests: retry after 20", 20_000],
  ])("with the words %s may be tried again after %s ms", (words, expected) => {
    expect(pullError(new PullFailure(words)).details).toMatchObject({ retryAfterMs: expect.closeTo(expected) });
  });

  it("may be tried again at any time when the registry does not say when", () => {
    expect(pullError(new PullFailure("toomanyrequests: rate exceeded")).details).not.toHaveProperty("retryAfterMs");
  });
});
