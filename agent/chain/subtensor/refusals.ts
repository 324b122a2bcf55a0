/**
 * Why the chain refused: the pool says it by number, a block by name, and which of both depends on the runtime. Pure.
 */
import { AppError } from "../../../protocol/errors.ts";
import type { RawRefusal } from "./messages.ts";

export type RefusalReason = "not-registered" | "bad-address" | "too-soon" | "no-subnet" | "no-account" | "other";

const BY_NUMBER: Readonly<Record<number, RefusalReason>> = {
  3: "no-subnet",
  4: "no-account",
  10: "not-registered",
  11: "bad-address",
  12: "too-soon",
  13: "bad-address",
};

/** Indexes move between runtimes, names do not. */
const BY_NAME: Readonly<Record<string, RefusalReason>> = {
  HotKeyNotRegisteredInNetwork: "not-registered",
  HotKeyNotRegisteredInSubNet: "not-registered",
  InvalidIpType: "bad-address",
  InvalidIpAddress: "bad-address",
  InvalidPort: "bad-address",
  ServingRateLimitExceeded: "too-soon",
  SubnetNotExists: "no-subnet",
};

export function refusalOf({ custom, module, message }: RawRefusal): AppError {
  const name = module?.split(".").at(-1);
  const reason =
    (custom === undefined ? undefined : BY_NUMBER[custom]) ??
    (name === undefined ? undefined : BY_NAME[name]) ??
    "other";
  return new AppError("chain-refused", {
    message: `The chain refused the announcement: ${reason === "other" ? message : reason}.`,
    details: { reason, said: message },
  });
}

/** The number in what a node's pool says, as in "1010: Invalid Transaction: Custom error: 12". */
export function customNumberIn(message: string): number | undefined {
  const digits = /Custom(?: error:|\()\s*(\d{1,3})/.exec(message)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
