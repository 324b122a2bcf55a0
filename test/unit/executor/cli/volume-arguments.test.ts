/** What stands behind the arguments of `lium-executor volumes`. */
import { describe, expect, it } from "vitest";

import { backupTarget, size, sizeText } from "../../../../executor/cli/volume-arguments.ts";

describe("a size", () => {
  it.each([
    ["512MiB", 512 * 2 ** 20],
    ["1.5 GiB", 1.5 * 2 ** 30],
    ["10GB", 1e10],
    ["1073741824", 2 ** 30],
  ])("%s is read as people mean it", (text, bytes) => {
    expect(size(text)).toBe(bytes);
  });

  it.each([["4G"], ["-1GiB"], ["GiB"], [""], ["1e3"], ["9999999TiB"]])("%j is refused", (text) => {
    expect(() => size(text)).toThrow("It must be a size");
  });

  it("is shown with one decimal at most", () => {
    expect([sizeText(1.25 * 2 ** 30), sizeText(2 ** 40), sizeText(512), sizeText(0)]).toEqual([
      "1.3 GiB",
      "1 TiB",
      "512 B",
      "0 B",
    ]);
  });
});

describe("where backups go", () => {
  it("a folder needs a password and nothing else", () => {
    expect(backupTarget("/srv/backups", { RESTIC_PASSWORD: "p" })).toEqual({
      repository: "/srv/backups",
      password: "p",
    });
  });

  it("a region and a session go along with the keys of S3", () => {
    const env = {
      RESTIC_PASSWORD: "p",
      AWS_ACCESS_KEY_ID: "id",
      AWS_SECRET_ACCESS_KEY: "key",
      AWS_SESSION_TOKEN: "token",
      AWS_DEFAULT_REGION: "eu",
    };

    expect(backupTarget("s3:s3.example/bucket", env).s3).toEqual({
      accessKeyId: "id",
      secretAccessKey: "key",
      sessionToken: "token",
      region: "eu",
    });
  });
});
