/**
 * Lium's gateway on a real listener, over keys that open nothing real: what was opened and closed is on a list, and opening can
 * be made to hang.
 */
import { once } from "node:events";

import type { KeyOnExecutor, LiumExecutor, ValidatorAccess } from "../../../agent/lium/access.ts";
import { KeyDesk } from "../../../agent/lium/desk.ts";
import { Door, type DoorLimits } from "../../../agent/lium/door.ts";
import { attachLium } from "../../../agent/lium/gateway.ts";
import { liumRest } from "../../../agent/lium/rest.ts";
import type { AuditEntry } from "../../../agent/store/store.ts";
import { createReplayStore } from "../../../agent/validator/replay.ts";
import { createValidatorServer } from "../../../agent/validator/server.ts";
import type { Clock } from "../../../common/clock.ts";
import { systemClock } from "../../../common/clock.ts";
import { boundRoutes } from "../../../common/http-server.ts";
import { AppError } from "../../../protocol/errors.ts";
import { HostId, Hotkey } from "../../../protocol/ids.ts";
import { executorIdOf, executorPortOf } from "../../../protocol/lium/executor-id.ts";
import { AGENT, ALICE } from "../api-servers.ts";
import { deskWithoutHosts } from "../challenges/no-hosts.ts";
import { fakeUseCases } from "../fake-use-cases.ts";
import { loggerToMemory } from "../memory-log.ts";

const HOST = HostId.parse("host-00000000000000aa");
export const EXECUTOR: LiumExecutor = {
  hostId: HOST,
  uuid: executorIdOf(HOST),
  address: "203.0.113.20",
  port: executorPortOf(HOST),
};
export const WAY_IN = { user: "root", address: "203.0.113.20", port: 2_200, hostKey: "ssh-ed25519 AAAA" };

export class ListedAccess implements ValidatorAccess {
  /** `open KEY` and `close KEY`, in the order in which they were done. */
  readonly done: string[] = [];
  /** What opening waits for. */
  opening: Promise<unknown> = Promise.resolve();
  /** What closing waits for. */
  closing: Promise<unknown> = Promise.resolve();
  executors: readonly LiumExecutor[] = [EXECUTOR];
  readonly #open = new Map<string, KeyOnExecutor>();

  /** Fingerprints of the keys that are open. */
  get open(): string[] {
    return [...this.#open.keys()];
  }

  executorsFor(): readonly LiumExecutor[] {
    return this.executors;
  }

  executorsWith(_validator: Hotkey, { fingerprint }: KeyOnExecutor["key"]): readonly LiumExecutor[] {
    return this.#open.has(fingerprint) ? [EXECUTOR] : [];
  }

  async grant(request: KeyOnExecutor, signal: AbortSignal) {
    this.#open.set(request.key.fingerprint, request);
    this.done.push(`open ${request.key.fingerprint}`);
    await Promise.race([this.opening, once(signal, "abort")]);
    signal.throwIfAborted();
    return { executor: request.executor, ...WAY_IN };
  }

  async revoke({ key: { fingerprint } }: KeyOnExecutor): Promise<void> {
    await this.closing;
    this.#open.delete(fingerprint);
    this.done.push(`close ${fingerprint}`);
  }

  async podLogs(): Promise<never> {
    throw new AppError("pod-not-found");
  }
}

export interface GatewayHarness extends AsyncDisposable {
  readonly url: string;
  readonly access: ListedAccess;
  readonly audit: AuditEntry[];
  readonly logged: string[];
}

export interface GatewayOptions {
  readonly clock?: Clock;
  readonly door?: DoorLimits;
  readonly requireSignedKeys?: boolean;
}

/** Serves Alice, by sr25519, and nobody else. */
export async function startGateway(options: GatewayOptions = {}): Promise<GatewayHarness> {
  const { clock = systemClock(), door: limits, requireSignedKeys = false } = options;
  const { log, logged } = loggerToMemory();
  const [hotkey, replay, access] = [Hotkey.parse(AGENT.ss58), createReplayStore(clock), new ListedAccess()];
  const allowed = new Map([[Hotkey.parse(ALICE.ss58), "sr25519" as const]]);
  const audit: AuditEntry[] = [];
  const signIn = { hotkey, allowed, replay, skewMs: 10_000, clock };
  const desk = new KeyDesk({
    access,
    replay,
    audit: async (entry) => void audit.push(entry),
    keyMs: 1_200_000,
    requireSignedKeys,
    clock,
    log,
  });
  const parts = { signIn, access, desk, door: new Door(clock, limits), clock, log };
  const server = await createValidatorServer({
    useCases: fakeUseCases().useCases,
    hotkey,
    challenges: deskWithoutHosts(hotkey, clock),
    allowed,
    replay,
    more: boundRoutes(liumRest(parts)),
    log,
    clock: systemClock(),
  });
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  const gateway = attachLium(server, parts);
  return {
    url: `127.0.0.1:${port}`,
    access,
    audit,
    logged,
    [Symbol.asyncDispose]: async () => {
      await gateway.close();
      await server.close();
    },
  };
}
