/**
 * GPUs that challenges keep from renters: for no longer than each validator may, so that nobody closes a host by asking and asking.
 */
import type { Clock } from "../../common/clock.ts";
import type { Challenge } from "../../protocol/challenge/messages.ts";
import { AppError } from "../../protocol/errors.ts";
import type { GpuUuid, HostId, Hotkey } from "../../protocol/ids.ts";
import { HoldingBudget } from "./holding-budget.ts";

export interface HoldsDeps {
  /** Keeps these from renters until the returned function is called. */
  readonly reserve: (hostId: HostId, gpus: readonly GpuUuid[]) => () => void;
  /** The agent's own check takes nothing away from anybody but its provider, and is not counted. */
  readonly hotkey: Hotkey;
  readonly clock: Clock;
}

export class Holds {
  readonly #deps: HoldsDeps;
  readonly #budget = new HoldingBudget();

  constructor(deps: HoldsDeps) {
    this.#deps = deps;
  }

  /** Throws `challenge-busy` where this validator has held the host's GPUs for long enough. */
  check({ validator, hostKey }: Challenge): void {
    const waitMs = this.#budget.waitMs(`${validator} ${hostKey}`, this.#deps.clock.monotonic());
    if (waitMs === 0) return;
    const message = "Your challenges have held this host's GPUs for long enough; renters come first for a while.";
    throw new AppError("challenge-busy", { message, details: { retryAfterSeconds: Math.ceil(waitMs / 1000) } });
  }

  /** Gives the function that ends it, to be called once. */
  take(hostId: HostId, { validator, hostKey, gpus }: Challenge): () => void {
    const { reserve, hotkey, clock } = this.#deps;
    const giveBack = reserve(hostId, gpus);
    const beganMs = clock.monotonic();
    return () => {
      giveBack();
      const nowMs = clock.monotonic();
      if (validator !== hotkey) this.#budget.spend(`${validator} ${hostKey}`, nowMs - beganMs, nowMs);
    };
  }
}
