/**
 * Keeps the firewall of pods in the kernel as it should be. It is read back each time: other programs flush firewalls.
 * What counts as right is what the kernel said just after it took our rules, so no two spellings have to be compared.
 */
import { z } from "zod";

import { exec } from "../../common/exec.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import { type FirewallPolicy, rulesetOf, TABLE } from "./ruleset.ts";

const NFT_MS = 10_000;

export interface FirewallDeps {
  /** The program, by name or path. */
  readonly nft: string;
  /** Asked each time: the host's name servers change. */
  readonly policy: () => Promise<FirewallPolicy>;
}

export class Firewall {
  readonly #deps: FirewallDeps;
  #applied: { readonly ruleset: string; readonly listing: string } | undefined;

  constructor(deps: FirewallDeps) {
    this.#deps = deps;
  }

  /** Rejects with `isolation-unavailable` when the rules are not in force and cannot be put there. */
  async ensure(signal: AbortSignal): Promise<void> {
    const ruleset = rulesetOf(await this.#deps.policy());
    try {
      if (this.#applied?.ruleset === ruleset && (await this.#list(signal)) === this.#applied.listing) return;
      await this.#nft(["-f", "-"], signal, ruleset);
      this.#applied = { ruleset, listing: await this.#list(signal) };
    } catch (error) {
      signal.throwIfAborted();
      this.#applied = undefined;
      const { message, details } = toAppError(error);
      throw new AppError("isolation-unavailable", {
        message: `The firewall of pods is not in force: ${message}`,
        details: { ...details, protection: "firewall" },
        cause: error,
      });
    }
  }

  /** The table as the kernel has it; empty when there is none. */
  async #list(signal: AbortSignal): Promise<string> {
    const { stdout, exitCode } = await this.#nft(["-j", "list", "table", "inet", TABLE], signal);
    return exitCode === 0 ? normaliseListing(stdout) : "";
  }

  #nft(args: readonly string[], signal: AbortSignal, input?: string) {
    const listing = input === undefined;
    return exec(this.#deps.nft, args, {
      signal,
      timeoutMs: NFT_MS,
      // Listing a table that is not there ends with 1.
      ...(listing ? { allowExitCodes: [0, 1] } : { input }),
    });
  }
}

/** A list of things, each under the name of its kind. */
const Listing = z.object({ nftables: z.array(z.record(z.string(), z.record(z.string(), z.unknown()))) });

/** Without what differs between two listings of the same rules: handles, and what sets have counted for each pod. */
function normaliseListing(json: string): string {
  const items = Listing.parse(JSON.parse(json)).nftables.filter(({ metainfo }) => metainfo === undefined);
  const rules = items.map(({ set, ...others }) => (set === undefined ? others : { set: { ...set, elem: null } }));
  return JSON.stringify(rules, (key, value: unknown) => (key === "handle" ? undefined : value));
}
