/**
 * Waiting for a real world: programs end, ports open and reports arrive when they do. Each wait has a limit and says what
 * it waited for.
 */
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 50;

export function pause(ms: number): Promise<void> {
  return sleep(ms);
}

/** Asks until the answer is neither undefined nor an exception; fails with the last exception after `withinMs`. */
export async function until<T>(
  what: string,
  withinMs: number,
  ask: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    let reason: unknown;
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      reason = error;
    }
    if (performance.now() > deadline) {
      const why = reason instanceof Error ? `: ${reason.message}` : "";
      throw new Error(`waited ${withinMs} ms in vain for ${what}${why}`, { cause: reason });
    }
    await sleep(POLL_MS);
  }
}
