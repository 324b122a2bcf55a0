/**
 * What validators are shown of the capacity: one text for everybody, looked at anew when it is older than a moment, signed anew
 * once a second. Asking costs next to nothing, however many ask.
 */
import type { Clock } from "../../common/clock.ts";
import { type Prepared, prepared } from "../../common/http-prepared.ts";
import {
  type Capacity,
  capacityBytes,
  type CapacityChange,
  capacityDigest,
  capacityText,
} from "../../protocol/capacity.ts";

export interface CapacityBoardDeps {
  readonly capacity: () => Capacity;
  /** The agent's hotkey, which is named in what is signed. */
  readonly hotkey: string;
  /** By that hotkey; what is shown is not signed when it is left out. */
  readonly sign?: ((bytes: Uint8Array) => Uint8Array) | undefined;
  readonly clock: Clock;
}

const LOOK_EVERY_MS = 100;
const SIGN_EVERY_MS = 1_000;
const FOLLOW_EVERY_MS = 250;

interface Snapshot {
  readonly capacity: Capacity;
  readonly etag: string;
  /** The offers alone, to see whether anything has changed. */
  readonly offers: string;
  readonly body: Buffer;
}

interface Signed {
  readonly etag: string;
  readonly signedAtMs: number;
  readonly signature: string | undefined;
}

export class CapacityBoard {
  readonly #deps: CapacityBoardDeps;
  #snapshot: Snapshot | undefined;
  #lookedAtMs = -Infinity;
  #signed: Signed | undefined;

  constructor(deps: CapacityBoardDeps) {
    this.#deps = deps;
  }

  answer(): Prepared {
    const { etag, body } = this.#current();
    const { signedAtMs, signature } = this.#sign(etag);
    return prepared({
      etag,
      body,
      headers: {
        "x-lium-signed-at": String(signedAtMs),
        ...(signature === undefined ? {} : { "x-lium-signature": signature }),
      },
    });
  }

  /** What is now, unless that is `after`; following, then every change until the signal aborts. */
  async *changes(
    { after, follow }: { readonly after?: string | undefined; readonly follow: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<CapacityChange, void> {
    for (let seen = after; !signal.aborted;) {
      const { etag, capacity } = this.#current();
      if (etag !== seen) {
        const { signedAtMs, signature } = this.#sign(etag);
        yield { etag, signedAtMs, ...(signature === undefined ? {} : { signature }), capacity };
      }
      seen = etag;
      if (!follow) return;
      // It rejects only when the signal aborts, which ends the loop.
      await this.#deps.clock.sleep(FOLLOW_EVERY_MS, signal).catch(() => undefined);
    }
  }

  #current(): Snapshot {
    const now = this.#deps.clock.monotonic();
    if (this.#snapshot !== undefined && now - this.#lookedAtMs < LOOK_EVERY_MS) return this.#snapshot;
    this.#lookedAtMs = now;
    const capacity = this.#deps.capacity();
    const offers = JSON.stringify(capacity.offers);
    if (this.#snapshot?.offers !== offers) this.#snapshot = snapshotOf(capacity, offers);
    return this.#snapshot;
  }

  #sign(etag: string): Signed {
    const { clock, hotkey, sign } = this.#deps;
    const now = clock.now();
    const last = this.#signed;
    if (last?.etag === etag && Math.abs(now - last.signedAtMs) < SIGN_EVERY_MS) return last;
    const signature = sign === undefined ? undefined : hexOf(sign(capacityBytes(hotkey, etag, now)));
    this.#signed = { etag, signedAtMs: now, signature };
    return this.#signed;
  }
}

function snapshotOf(capacity: Capacity, offers: string): Snapshot {
  return { capacity, etag: capacityDigest(capacity), offers, body: Buffer.from(capacityText(capacity)) };
}

function hexOf(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).toString("hex")}`;
}
