/**
 * A client that speaks to an agent exactly as a validator does.
 */
import type { Command } from "commander";

import { systemClock } from "../../common/clock.ts";
import { loadHotkey } from "../../common/hotkey.ts";
import { createHttpClient, type HttpClient } from "../../common/http-client.ts";
import { challengeApi } from "../../protocol/challenge/exchange.ts";
import { Hotkey } from "../../protocol/ids.ts";
import { healthApi, validatorApi } from "../../protocol/validator-api.ts";
import { createSigner } from "../validator/signer.ts";

const API = { ...validatorApi, ...challengeApi };
export type ValidatorClient = HttpClient<typeof API>;

/** Whose requests they are, and whose agent answers. */
export interface Parties {
  readonly validator: Hotkey;
  readonly agent: Hotkey;
}

export interface ValidatorClientOptions {
  /** Such as http://agent.example.org:8091. */
  readonly url: string;
  /** A plain hotkey file, as btcli writes it. */
  readonly hotkeyFile: string;
  /** The agent's hotkey. When left out the agent is asked, and trusted to say it: fine where nobody sits in between. */
  readonly receiver?: string;
}

/** Longer than the longest wait that a route allows. */
const TIMEOUT_MS = 75_000;

/** Throws `hotkey-file-invalid`, and what asking for the receiver throws. */
export async function validatorClient(options: ValidatorClientOptions): Promise<ValidatorClient> {
  return (await connectAs(options)).client;
}

async function connectAs({
  url,
  hotkeyFile,
  receiver,
}: ValidatorClientOptions): Promise<{ readonly client: ValidatorClient; readonly parties: Parties }> {
  const hotkey = await loadHotkey(hotkeyFile);
  const to = receiver ?? (await askReceiver(url));
  const sign = createSigner({ hotkey, receiver: to, clock: systemClock() });
  const client = createHttpClient(API, { at: { baseUrl: url }, sign, timeoutMs: TIMEOUT_MS });
  return { client, parties: { validator: Hotkey.parse(hotkey.ss58), agent: Hotkey.parse(to) } };
}

async function askReceiver(url: string): Promise<string> {
  const client = createHttpClient(healthApi, { at: { baseUrl: url }, timeoutMs: TIMEOUT_MS });
  try {
    return (await client.health({})).hotkey;
  } finally {
    await client.close();
  }
}

/** A command with the options that name an agent and the hotkey to sign with. */
export function validatorCommand(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .requiredOption("--url <url>", "the agent, such as http://agent.example.org:8091")
    .requiredOption("--hotkey-file <path>", "a plain hotkey file, as btcli writes it")
    .option("--receiver <ss58>", "the agent's hotkey; asked of the agent when left out")
    .option("--json", "print JSON");
}

export async function withValidator(
  options: ValidatorClientOptions,
  work: (client: ValidatorClient, parties: Parties) => Promise<void>,
): Promise<void> {
  const { client, parties } = await connectAs(options);
  try {
    await work(client, parties);
  } finally {
    await client.close();
  }
}
