/**
 * The permit holders as they were last known, kept in a file: they are served, however long the chain is away.
 * The operator's rule is applied when asked, so that a change of it holds from the next start, chain or no chain.
 */
import { readFile } from "node:fs/promises";

import { z } from "zod";

import { writeFileAtomic } from "../../common/atomic-file.ts";
import { decodeSs58 } from "../../common/ss58.ts";
import { AppError } from "../../protocol/errors.ts";
import { Hotkey } from "../../protocol/ids.ts";
import type { Metagraph } from "./chain.ts";
import { judge, permitHolders, type PermitHolder, type PermitRule } from "./permits.ts";

/** For this long an answer from before what is known is taken for a node that lags. */
const FRESH_MS = 3_600_000;

const KnownFile = z.object({
  network: z.string(),
  netuid: z.int(),
  block: z.int(),
  readAtMs: z.int(),
  holders: z.array(
    z.object({
      hotkey: Hotkey.refine((text) => decodeSs58(text) !== undefined),
      uid: z.int(),
      stakeRao: z.string().regex(/^\d+$/).transform(BigInt),
    }),
  ),
});

export interface Known {
  readonly block: number;
  /** Milliseconds since the epoch. */
  readonly readAtMs: number;
  readonly holders: readonly PermitHolder[];
}

export interface KnownValidatorsOptions {
  readonly path: string;
  /** What is known of one subnet is not taken for another's. */
  readonly network: string;
  readonly netuid: number;
  readonly rule: PermitRule;
}

export class KnownValidators {
  readonly #options: KnownValidatorsOptions;
  #known: Known | undefined;
  #permitted: ReadonlySet<string> = new Set();

  constructor(options: KnownValidatorsOptions) {
    this.#options = options;
  }

  get known(): Known | undefined {
    return this.#known;
  }

  permitted(hotkey: string): boolean {
    return this.#permitted.has(hotkey);
  }

  /** Reads what an earlier run knew. Gives false when there is a file and it cannot be used. */
  async load(): Promise<boolean> {
    const { path, network, netuid } = this.#options;
    const text = await readFile(path, "utf8").catch(() => undefined);
    if (text === undefined) return true;
    const file = KnownFile.safeParse(parseJson(text));
    if (!file.success || file.data.network !== network || file.data.netuid !== netuid) return false;
    const { block, readAtMs, holders } = file.data;
    this.#set({ block, readAtMs, holders });
    return true;
  }

  /**
   * Takes over what the chain says now. Throws `chain-unreachable` for an answer that cannot be true: no validator at all,
   * or a block from before what was known a moment ago.
   */
  async update(metagraph: Metagraph, nowMs: number): Promise<void> {
    const { path, network, netuid } = this.#options;
    const { block } = metagraph;
    const holders = permitHolders(metagraph);
    if (holders.length === 0) throw implausible(`no validator has a permit on subnet ${netuid}`);
    const known = this.#known;
    if (known !== undefined && block < known.block && nowMs - known.readAtMs < FRESH_MS)
      throw implausible(`block ${block} lies before block ${known.block}, which was read already`);
    this.#set({ block, readAtMs: nowMs, holders });
    const plain = holders.map((holder) => ({ ...holder, stakeRao: holder.stakeRao.toString() }));
    const file = { network, netuid, block, readAtMs: nowMs, holders: plain };
    await writeFileAtomic(path, `${JSON.stringify(file)}\n`, 0o600);
  }

  #set(known: Known): void {
    this.#known = known;
    const served = known.holders.filter((holder) => judge(holder, this.#options.rule) === "permitted");
    this.#permitted = new Set(served.map(({ hotkey }) => hotkey));
  }
}

function implausible(what: string): AppError {
  return new AppError("chain-unreachable", { message: `A node says that ${what}; what was known before is kept.` });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
