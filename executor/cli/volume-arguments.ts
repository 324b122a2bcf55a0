/**
 * Reads what stands behind the arguments of `lium-executor volumes`. What does not fit is wrong usage, with the form that would.
 */
import { InvalidArgumentError } from "commander";
import type { z } from "zod";

import { AppError } from "../../protocol/errors.ts";
import { BackupTarget } from "../../protocol/volume.ts";

const UNITS = new Map([
  ["", 1],
  ["B", 1],
  ["KB", 1e3],
  ["MB", 1e6],
  ["GB", 1e9],
  ["TB", 1e12],
  ["KiB", 2 ** 10],
  ["MiB", 2 ** 20],
  ["GiB", 2 ** 30],
  ["TiB", 2 ** 40],
]);
const SHOWN = ["TiB", "GiB", "MiB", "KiB"] as const;

/** An argument that a schema takes. */
export function taken<Schema extends z.ZodType<unknown, string>>(schema: Schema, form: string) {
  return (text: string): z.output<Schema> => {
    const { data, success } = schema.safeParse(text);
    if (!success) throw new InvalidArgumentError(`It must be ${form}.`);
    return data;
  };
}

/** Whole bytes of `4GiB`, `1.5 GB` or `1073741824`. */
export function size(text: string): number {
  const [, digits = "", unit = ""] = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text) ?? [];
  const bytes = Math.round(Number(digits) * (UNITS.get(unit) ?? Number.NaN));
  if (digits !== "" && Number.isSafeInteger(bytes)) return bytes;
  throw new InvalidArgumentError("It must be a size such as 512MiB, 4GiB or 10GB.");
}

/** `4 GiB`, `1.5 GiB`, `300 MiB`: at most one decimal. */
export function sizeText(bytes: number): string {
  const unit = SHOWN.find((one) => bytes >= (UNITS.get(one) ?? 1)) ?? "B";
  return `${Number((bytes / (UNITS.get(unit) ?? 1)).toFixed(1))} ${unit}`;
}

/** The secrets come from where restic and S3 clients look for them. Throws `invalid-request` for one that is missing. */
export function backupTarget(repository: string, env: Readonly<Record<string, string | undefined>>): BackupTarget {
  const [id, secret] = [env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"]];
  const s3 = {
    accessKeyId: id,
    secretAccessKey: secret,
    sessionToken: env["AWS_SESSION_TOKEN"],
    region: env["AWS_DEFAULT_REGION"],
  };
  const given = { repository, password: env["RESTIC_PASSWORD"], ...(id === undefined ? {} : { s3 }) };
  const { data, success } = BackupTarget.safeParse(given);
  if (success) return data;
  const message =
    "Name a repository such as s3:https://host/bucket/path or /path, and set RESTIC_PASSWORD" +
    " (for S3 also AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) in the environment.";
  throw new AppError("invalid-request", { message });
}
