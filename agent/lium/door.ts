/**
 * How many may come in: sockets in all, of one address, of one address before they signed in, of one validator; and how
 * often one address or one validator may try in a minute. Counted before anything is parsed or verified.
 */
import type { Clock } from "../../common/clock.ts";
import type { Hotkey } from "../../protocol/ids.ts";

export interface DoorLimits {
  readonly sockets: number;
  readonly socketsPerAddress: number;
  /** Of one address, before they signed in. */
  readonly waitingPerAddress: number;
  readonly socketsPerValidator: number;
  readonly comingPerMinute: number;
  readonly requestsPerMinute: number;
}

const DOOR_LIMITS: DoorLimits = {
  sockets: 512,
  socketsPerAddress: 64,
  waitingPerAddress: 16,
  socketsPerValidator: 32,
  comingPerMinute: 240,
  requestsPerMinute: 240,
};

/** One socket inside. */
export interface Visit {
  /** False when this validator has too many sockets already. */
  signIn(validator: Hotkey): boolean;
  leave(): void;
}

const MINUTE_MS = 60_000;

export class Door {
  readonly #limits: DoorLimits;
  readonly #inside = new Counts();
  readonly #coming: PerMinute;
  readonly #requests: PerMinute;

  constructor(clock: Clock, limits: DoorLimits = DOOR_LIMITS) {
    this.#limits = limits;
    this.#coming = new PerMinute(clock, limits.comingPerMinute);
    this.#requests = new PerMinute(clock, limits.requestsPerMinute);
  }

  /** Undefined when there is no room. */
  enter(address: string): Visit | undefined {
    const { sockets, socketsPerAddress, waitingPerAddress, socketsPerValidator } = this.#limits;
    const inside = this.#inside;
    const [all, here, waiting] = ["all", `address ${address}`, `waiting ${address}`];
    const isFull =
      inside.of(all) >= sockets || inside.of(here) >= socketsPerAddress || inside.of(waiting) >= waitingPerAddress;
    if (!this.#coming.take(address) || isFull) return undefined;
    const held = new Set([all, here, waiting]);
    for (const name of held) inside.add(name, 1);
    const drop = (name: string): void => {
      if (held.delete(name)) inside.add(name, -1);
    };
    return {
      signIn: (validator) => {
        if (inside.of(validator) >= socketsPerValidator) return false;
        drop(waiting);
        held.add(validator);
        inside.add(validator, 1);
        return true;
      },
      leave: () => held.forEach(drop),
    };
  }

  /** Whether this validator may ask for one thing more within this minute. */
  mayAsk(validator: Hotkey): boolean {
    return this.#requests.take(validator);
  }
}

class Counts {
  readonly #counts = new Map<string, number>();

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  add(name: string, change: 1 | -1): void {
    const count = this.of(name) + change;
    if (count === 0) this.#counts.delete(name);
    else this.#counts.set(name, count);
  }
}

class PerMinute {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #counts = new Map<string, number>();
  #since: number;

  constructor(clock: Clock, limit: number) {
    this.#clock = clock;
    this.#limit = limit;
    this.#since = clock.monotonic();
  }

  take(name: string): boolean {
    const now = this.#clock.monotonic();
    if (now - this.#since >= MINUTE_MS) {
      this.#counts.clear();
      this.#since = now;
    }
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    return count <= this.#limit;
  }
}
