/** Which failed pulls are tried again, and when. */
import { describe, expect, it } from "vitest";

import { retryInMs } from "../../../../executor/images/retry.ts";
import { AppError } from "../../../../protocol/errors.ts";

const half = (): number => 0.5;

describe("a pull that failed", () => {
  it("at the registry is tried again, later and later, and three times at most", () => {
    const error = new AppError("image-pull-failed");

    expect([1, 2, 3, 4].map((attempt) => retryInMs(error, attempt, half))).toEqual([750, 1_500, 3_000, undefined]);
  });

  it("because of too many requests is tried again when the registry allows it", () => {
    const asks = (retryAfterMs: number) => new AppError("image-rate-limited", { details: { retryAfterMs } });

    expect(retryInMs(asks(20_000), 1, half)).toBe(20_000);
    expect(retryInMs(asks(1), 1, half)).toBe(750);
    expect(retryInMs(new AppError("image-rate-limited"), 1, half)).toBe(750);
    expect(retryInMs(asks(3_600_000), 1, half)).toBeUndefined();
  });

  it.each([
    "image-not-found",
    "image-auth-failed",
    "image-digest-mismatch",
    "image-incompatible",
    "image-pull-stalled",
    "disk-low",
    "engine-unavailable",
  ] as const)("with %s is not tried again", (code) => {
    expect(retryInMs(new AppError(code), 1, half)).toBeUndefined();
  });
});
