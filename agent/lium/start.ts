/**
 * Builds the gateway for Lium's validators: its REST twin for the listener's tables, and what hangs on its upgrades.
 */
import type { Clock } from "../../common/clock.ts";
import { type BoundRoute, boundRoutes } from "../../common/http-server.ts";
import type { Logger } from "../../common/logger.ts";
import type { UseCases } from "../fleet/use-cases.ts";
import type { Store } from "../store/store.ts";
import type { LiumConfig } from "./config.ts";
import { KeyDesk } from "./desk.ts";
import { Door } from "./door.ts";
import { attachLium, type Gateway, type UpgradeSource } from "./gateway.ts";
import { liumRest } from "./rest.ts";
import { ShellPods } from "./shell-pods.ts";
import type { SignInDeps } from "./sign-in.ts";

export interface LiumDeps {
  readonly config: LiumConfig;
  readonly hotkey: SignInDeps["hotkey"];
  /** Who is served, asked anew for each sign-in. */
  readonly allowed: SignInDeps["allowed"];
  readonly useCases: UseCases;
  readonly store: Pick<Store, "remember" | "write">;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Lium {
  readonly rest: readonly BoundRoute[];
  attach(server: UpgradeSource): Gateway;
}

export function createLium({ config, hotkey, allowed, useCases, store, clock, log }: LiumDeps): Lium {
  const access = new ShellPods({ useCases, shell: config.shell, clock });
  const signIn: SignInDeps = { hotkey, allowed, replay: store, skewMs: config.clockSkewSeconds * 1000, clock };
  const desk = new KeyDesk({
    access,
    replay: store,
    audit: (entry) => store.write({ audit: [entry] }),
    keyMs: config.keySeconds * 1000,
    requireSignedKeys: config.requireSignedKeys,
    clock,
    log,
  });
  const door = new Door(clock);
  return {
    rest: boundRoutes(liumRest({ signIn, access, desk, door })),
    attach: (server) => attachLium(server, { signIn, access, desk, door, clock, log }),
  };
}
