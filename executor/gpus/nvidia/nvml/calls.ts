/**
 * Single values from NVML: memory for the answer, the call, the answer or why there is none.
 */
import type { Known } from "../../../../protocol/accelerator.ts";
import { unavailable } from "../../known.ts";
import { type Nvml, type NvmlArgument, type NvmlFunction, RC, unavailableFor } from "./functions.ts";

/** What NVML writes for a number that it does not know. */
const NO_VALUE = 2n ** 64n - 1n;
const NO_VALUE_32 = 2 ** 32 - 1;

/** Calls `name` with memory of `bytes` as its last argument, and decodes what was written. */
export async function ask<T>(
  nvml: Nvml,
  call: { readonly name: NvmlFunction; readonly args: readonly NvmlArgument[]; readonly bytes: number },
  decode: (answer: Buffer) => Known<T>,
): Promise<Known<T>> {
  if (!nvml.has(call.name)) return unavailable("not-supported", `The driver has no ${call.name}.`);
  const answer = pooled(call.bytes);
  const code = await nvml.call(call.name, ...call.args, answer);
  return code === RC.success ? decode(answer) : unavailableFor(code, call.name);
}

export function askNumber(nvml: Nvml, name: NvmlFunction, ...args: NvmlArgument[]): Promise<Known<number>> {
  return ask(nvml, { name, args, bytes: 4 }, (answer) => number32(answer, 0));
}

export function askBig(nvml: Nvml, name: NvmlFunction, ...args: NvmlArgument[]): Promise<Known<number>> {
  return ask(nvml, { name, args, bytes: 8 }, (answer) => number64(answer, 0));
}

/** A struct that begins with its version word: its size, and the version above it. */
export function askStruct<T>(
  nvml: Nvml,
  call: {
    readonly name: NvmlFunction;
    readonly args: readonly NvmlArgument[];
    readonly bytes: number;
    readonly version: number;
  },
  decode: (answer: Buffer) => Known<T>,
  prepare?: (memory: Buffer) => void,
): Promise<Known<T>> {
  const { name, args, bytes, version } = call;
  if (!nvml.has(name)) return Promise.resolve(unavailable("not-supported", `The driver has no ${name}.`));
  const memory = pooled(bytes);
  memory.writeUInt32LE(bytes + version * 2 ** 24, 0);
  prepare?.(memory);
  return nvml
    .call(name, ...args, memory)
    .then((code) => (code === RC.success ? decode(memory) : unavailableFor(code, name)));
}

/** Text of at most `bytes`; the length goes after the memory. */
export async function askText(
  nvml: Nvml,
  name: NvmlFunction,
  handle: bigint | undefined,
  bytes: number,
): Promise<Known<string>> {
  if (!nvml.has(name)) return unavailable("not-supported", `The driver has no ${name}.`);
  const memory = pooled(bytes);
  const code = await nvml.call(name, ...(handle === undefined ? [] : [handle]), memory, bytes);
  if (code !== RC.success) return unavailableFor(code, name);
  const text = textIn(memory);
  return text === "" ? unavailable("not-supported") : text;
}

/** Up to the first zero byte. */
export function textIn(memory: Buffer): string {
  const end = memory.indexOf(0);
  return memory.toString("utf8", 0, end < 0 ? memory.length : end).trim();
}

export function number32(memory: Buffer, at: number): Known<number> {
  const value = memory.readUInt32LE(at);
  return value === NO_VALUE_32 ? unavailable("not-supported") : value;
}

export function number64(memory: Buffer, at: number): Known<number> {
  const value = memory.readBigUInt64LE(at);
  return value === NO_VALUE || value > BigInt(Number.MAX_SAFE_INTEGER) ? unavailable("not-supported") : Number(value);
}

/** Small memory of zeroes out of Node's pool: a buffer of its own costs more than the call that fills it. */
function pooled(bytes: number): Buffer {
  return Buffer.allocUnsafe(bytes).fill(0);
}
