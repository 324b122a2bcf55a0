/**
 * One holder per key at a time; the others wait in the order they came, and may give up while they wait.
 * A holder must not ask for its own key again: it would wait for itself.
 */

export interface KeyedLock {
  /** Runs `work` while holding `key`. Rejects with the signal's reason when aborted before its turn came. */
  run<T>(key: string, work: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /** Whether somebody holds the key or waits for it. */
  isBusy(key: string): boolean;
}

export function createKeyedLock(): KeyedLock {
  /** For each key, the promise that the next comer has to wait for. */
  const tails = new Map<string, Promise<void>>();

  async function run<T>(key: string, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const turn = tails.get(key) ?? Promise.resolve();
    const { promise: left, resolve: leave } = Promise.withResolvers<void>();
    const tail = turn.then(() => left);
    tails.set(key, tail);
    void tail.then(() => tails.get(key) === tail && tails.delete(key));

    try {
      await untilAborted(turn, signal);
      return await work();
    } finally {
      leave();
    }
  }

  return { run, isBusy: (key) => tails.has(key) };
}

async function untilAborted(turn: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([turn, aborted]);
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
