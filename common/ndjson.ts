/**
 * Streams of JSON values, one a line. An error after the first line is itself a line, `{"error": {...}}`, and the last one.
 */
import { z } from "zod";

import { AppError } from "../protocol/errors.ts";
import { ErrorBody } from "../protocol/openapi.ts";
import type { Clock } from "./clock.ts";
import { errorFromRefusal } from "./http-errors.ts";

export const NDJSON = "application/x-ndjson";
const MAX_LINE_CHARACTERS = 8 * 2 ** 20;

const ErrorLine = z.strictObject({ error: ErrorBody });

/** The items as lines; what the items throw becomes the last line. The items are told when nobody reads on. */
export async function* toLines(items: AsyncIterable<unknown>, refuse: (error: unknown) => ErrorBody) {
  try {
    for await (const item of items) yield `${JSON.stringify(item)}\n`;
  } catch (error) {
    yield `${JSON.stringify({ error: refuse(error) })}\n`;
  }
}

/** The values of a stream. Throws the error that its last line tells; a line that is no JSON is `internal`. */
export async function* fromLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown, void> {
  for await (const line of splitLines(chunks)) {
    const value = parseLine(line);
    const failure = ErrorLine.safeParse(value);
    if (failure.success) throw errorFromRefusal(200, failure.data.error);
    yield value;
  }
}

/**
 * The same items, but it has waited for the first of them, for `withinMs` at most: what fails at once is thrown here,
 * while a refusal can still have a status of its own.
 */
export async function afterFirst<T>(
  items: AsyncIterable<T>,
  wait: { readonly clock: Clock; readonly withinMs: number; readonly signal: AbortSignal },
): Promise<AsyncIterable<T>> {
  const iterator = items[Symbol.asyncIterator]();
  const first = iterator.next();
  const waited = new AbortController();
  const signal = AbortSignal.any([wait.signal, waited.signal]);
  const timer = wait.clock.sleep(wait.withinMs, signal).catch(() => undefined);
  try {
    await Promise.race([first, timer]);
  } finally {
    waited.abort();
  }
  return resume(iterator, first);
}

async function* resume<T>(iterator: AsyncIterator<T>, first: Promise<IteratorResult<T>>): AsyncGenerator<T, void> {
  try {
    for (let next = await first; next.done !== true; next = await iterator.next()) yield next.value;
  } finally {
    await iterator.return?.();
  }
}

async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MAX_LINE_CHARACTERS)
      throw new AppError("internal", { message: "A line of the stream is too long." });
    yield* lines.filter((line) => line !== "");
  }
  if (rest !== "") yield rest;
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new AppError("internal", { message: "The stream holds a line that is no JSON.", cause });
  }
}
