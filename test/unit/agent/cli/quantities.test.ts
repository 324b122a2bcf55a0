/** Sizes and durations are read exactly or not at all, and are written so that people can read them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { formatDuration, formatSize, parseDuration, parseSize } from "../../../../agent/cli/quantities.ts";

describe("a size", () => {
  it.each([
    ["0", 0],
    ["1024", 1024],
    ["4GiB", 4 * 2 ** 30],
    ["4 GiB", 4 * 2 ** 30],
    ["1.5KiB", 1536],
    ["10GB", 1e10],
    ["64MiB", 64 * 2 ** 20],
    ["2TiB", 2 ** 41],
    ["7B", 7],
  ])("%s is %d bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([
    "",
    " ",
    "4G",
    "4gib",
    "4g",
    "-1GiB",
    "GiB",
    "1e3",
    "4  GiB",
    "0x10",
    "1.GiB",
    ".5GiB",
    "4GiB ",
    "99999999TiB",
  ])("%j is none", (text) => {
    expect(parseSize(text)).toBeUndefined();
  });

  it("is read back from what is written, to within a twentieth", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 50), (bytes) => {
        const back = parseSize(formatSize(bytes));
        expect(Math.abs((back ?? -1) - bytes)).toBeLessThanOrEqual(bytes / 20);
      }),
    );
  });

  it("is written with the largest unit that fits", () => {
    expect([0, 1023, 1024, 1.5 * 2 ** 30, 300 * 2 ** 20].map(formatSize)).toEqual([
      "0 B",
      "1023 B",
      "1 KiB",
      "1.5 GiB",
      "300 MiB",
    ]);
  });
});

describe("a duration", () => {
  it.each([
    ["0s", 0],
    ["90s", 90_000],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["2d", 172_800_000],
    ["1d1h1m1s", 90_061_000],
  ])("%s is %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(["", "5", "1.5h", "m", "-5m", "5m1h", "5 m", "1h ", "99999999999999999d", "1w"])("%j is none", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it("is the sum of its parts", () => {
    fc.assert(
      fc.property(fc.nat(99), fc.nat(99), fc.nat(99), fc.nat(99), (d, h, m, s) => {
        expect(parseDuration(`${d}d${h}h${m}m${s}s`)).toBe((((d * 24 + h) * 60 + m) * 60 + s) * 1000);
      }),
    );
  });

  it("is written in its largest unit, rounded down, and never below zero", () => {
    const written = [-5, 0, 999, 59_999, 60_000, 7_199_999, 86_400_000, 10 * 86_400_000].map(formatDuration);

    expect(written).toEqual(["0s", "0s", "0s", "59s", "1m", "1h", "1d", "10d"]);
  });
});
