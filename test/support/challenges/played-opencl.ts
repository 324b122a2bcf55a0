/**
 * An OpenCL library that is played: every call succeeds, but for what a test gives it to answer.
 */
import type { FoundDevice } from "../../../executor/challenges/opencl/devices.ts";
import type { OpenCl, OpenClArgument } from "../../../executor/challenges/opencl/functions.ts";

export const playedDevice: FoundDevice = {
  handle: 1,
  index: 0,
  platform: "played",
  name: "played",
  driver: "0",
  vendorId: "0000",
  isCpu: false,
  memoryBytes: 1_000,
  maxAllocationBytes: 1_000,
};

type Play = Readonly<Record<string, (args: readonly OpenClArgument[]) => number>>;

export function played(play: Play): OpenCl {
  let handles = 100;
  const call = (name: string, args: readonly OpenClArgument[]): number => play[name]?.(args) ?? 0;
  return {
    call: (name, ...args) => call(name, args),
    callLong: async (name, ...args) => call(name, args),
    make: () => ++handles,
  };
}
