/**
 * Remembers which signed requests were carried out, for as long as their nonces could pass as fresh.
 */
import type { Clock } from "../../common/clock.ts";
import { AppError } from "../../protocol/errors.ts";
import type { Hotkey } from "../../protocol/ids.ts";

export interface ReplayStore {
  /**
   * Whether this nonce of this hotkey is new; from then on it is not, until `expiresAtMs` (since the epoch).
   * Of two calls at once only one is told that it is new.
   */
  remember(hotkey: Hotkey, nonce: bigint, expiresAtMs: number): Promise<boolean>;
}

export interface RecentNonces extends ReplayStore {
  /** Whether this nonce of this hotkey was remembered and may still pass as fresh. */
  knows(hotkey: Hotkey, nonce: bigint): boolean;
}

/**
 * In memory: a restart forgets. It never forgets a live nonce to make room; when it is full it throws `rate-limited`.
 */
export function createReplayStore(clock: Clock, capacity = 100_000): RecentNonces {
  const seen = new Map<string, number>();

  function dropExpired(): void {
    const now = clock.now();
    // The order of arrival is nearly that of expiry, so the first live one ends the search.
    for (const [key, expiresAtMs] of seen) {
      if (expiresAtMs > now) return;
      seen.delete(key);
    }
  }

  return {
    knows: (hotkey, nonce) => seen.has(keyOf(hotkey, nonce)),
    remember: async (hotkey, nonce, expiresAtMs) => {
      dropExpired();
      const key = keyOf(hotkey, nonce);
      if (seen.has(key)) return false;
      if (seen.size >= capacity) throw new AppError("rate-limited");
      seen.set(key, expiresAtMs);
      return true;
    },
  };
}

function keyOf(hotkey: Hotkey, nonce: bigint): string {
  return `${hotkey} ${nonce}`;
}
