/**
 * The agent's listeners over prepared use cases, each with the client that callers really use.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { UseCases } from "../../agent/fleet/use-cases.ts";
import { createOperatorServer } from "../../agent/operator/server.ts";
import type { AuthOptions } from "../../agent/validator/auth.ts";
import { createReplayStore } from "../../agent/validator/replay.ts";
import { createValidatorServer, VALIDATOR_LIMITS } from "../../agent/validator/server.ts";
import { createSigner } from "../../agent/validator/signer.ts";
import { systemClock } from "../../common/clock.ts";
import { devHotkey, type Hotkey as Signer, initHotkeys } from "../../common/hotkey.ts";
import { createHttpClient, type HttpClient, type HttpClientOptions } from "../../common/http-client.ts";
import type { HttpLimits } from "../../common/http-limits.ts";
import type {} from "../../common/http-server.ts";
import { Hotkey } from "../../protocol/ids.ts";
import { operatorApi } from "../../protocol/operator-api.ts";
import { validatorApi } from "../../protocol/validator-api.ts";
import { deskWithoutHosts } from "./challenges/no-hosts.ts";
import { type FakeUseCases, fakeUseCases } from "./fake-use-cases.ts";
import { loggerToMemory } from "./memory-log.ts";

await initHotkeys();

/** A validator that is served, one that is not, and the agent. */
export const ALICE = devHotkey("//Alice");
export const MALLORY = devHotkey("//Mallory");
export const AGENT = devHotkey("//Bob");

interface Listener extends FakeUseCases, AsyncDisposable {
  /** What was logged, one JSON line each. */
  readonly logged: string[];
}

export interface ValidatorListener extends Listener {
  readonly url: string;
  readonly client: HttpClient<typeof validatorApi>;
  /** A client of the same listener that signs in its own way. */
  clientThat(sign: HttpClientOptions["sign"]): HttpClient<typeof validatorApi>;
}

interface ValidatorListenerOptions {
  readonly limits?: Partial<HttpLimits>;
  /** Whose client it is; served, and nobody else, unless `allowed` says otherwise. */
  readonly caller?: Signer;
  readonly allowed?: AuthOptions["allowed"];
  /** By the agent's hotkey; the agent has its address alone when left out. */
  readonly sign?: (bytes: Uint8Array) => Uint8Array;
}

export function signerOf(hotkey = ALICE, receiver = AGENT.ss58, clock = systemClock()) {
  return createSigner({ hotkey, receiver, clock });
}

export async function startValidatorListener(
  prepared: Partial<UseCases> = {},
  { limits = {}, caller = ALICE, allowed, sign }: ValidatorListenerOptions = {},
): Promise<ValidatorListener> {
  const { useCases, calls } = fakeUseCases(prepared);
  const { log, logged } = loggerToMemory();
  const clock = systemClock();
  const server = await createValidatorServer({
    useCases,
    hotkey: Hotkey.parse(AGENT.ss58),
    sign,
    challenges: deskWithoutHosts(Hotkey.parse(AGENT.ss58), clock),
    allowed: allowed ?? new Map([[Hotkey.parse(caller.ss58), caller.scheme]]),
    replay: createReplayStore(clock),
    log,
    clock,
    limits: { ...VALIDATOR_LIMITS, ...limits },
  });
  const url = `http://127.0.0.1:${await server.listen({ host: "127.0.0.1", port: 0 })}`;
  const clients: HttpClient<typeof validatorApi>[] = [];
  const clientThat: ValidatorListener["clientThat"] = (sign) => {
    const client = createHttpClient(validatorApi, {
      at: { baseUrl: url },
      timeoutMs: 5_000,
      ...(sign === undefined ? {} : { sign }),
    });
    clients.push(client);
    return client;
  };
  return {
    useCases,
    calls,
    logged,
    url,
    client: clientThat(signerOf(caller)),
    clientThat,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await server.close();
    },
  };
}

export interface OperatorListener extends Listener {
  readonly socketPath: string;
  readonly client: HttpClient<typeof operatorApi>;
}

export async function startOperatorListener(prepared: Partial<UseCases> = {}): Promise<OperatorListener> {
  const { useCases, calls } = fakeUseCases(prepared);
  const { log, logged } = loggerToMemory();
  const server = await createOperatorServer({ useCases, log, clock: systemClock() });
  const dir = mkdtempSync(join(tmpdir(), "lium-operator-"));
  const socketPath = join(dir, "agent.sock");
  await server.listen({ socketPath });
  const client = createHttpClient(operatorApi, { at: { socketPath }, timeoutMs: 5_000 });
  return {
    useCases,
    calls,
    logged,
    socketPath,
    client,
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await server.close();
      rmSync(dir, { recursive: true });
    },
  };
}
