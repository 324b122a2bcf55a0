/**
 * The chain as the rest of the agent sees it: who is permitted, and the operator's view. Nothing here waits for the chain
 * but the operator's own wish to announce.
 */
import type { Clock } from "../../common/clock.ts";
import type { ChainStatus, ChainValidator } from "../../protocol/chain-view.ts";
import { AppError } from "../../protocol/errors.ts";
import type { Hotkey } from "../../protocol/ids.ts";
import { type Axon, taoOf } from "./chain.ts";
import type { KnownValidators } from "./known-validators.ts";
import { judge, type PermitRule } from "./permits.ts";
import { neuronOf, standingOf } from "./standing.ts";
import type { ChainWatch, Problem } from "./watch.ts";

export interface ChainDesk {
  /** By permit, stake and the operator's lists, as last known. */
  permitted(hotkey: string): boolean;
  status(): ChainStatus;
  /** All with a permit, the heaviest first. */
  validators(): ChainValidator[];
  /**
   * Reads, announces if that changes anything, and gives the new status; after 25 s the status as it is then, while the
   * work goes on. Throws what the chain throws.
   */
  announce(): Promise<ChainStatus>;
}

export interface DeskParts {
  readonly network: string;
  readonly netuid: number;
  readonly hotkey: Hotkey;
  readonly rule: PermitRule;
  readonly known: KnownValidators;
  readonly watch: ChainWatch;
  readonly wanted: () => Axon | undefined;
  readonly clock: Clock;
  /** Ends what is under way when the agent closes. */
  readonly signal: AbortSignal;
}

/** Less than the operator's commands wait. */
const ANNOUNCE_WAIT_MS = 25_000;

export function createChainDesk(parts: DeskParts): ChainDesk {
  const { known, rule, watch } = parts;
  const validators = (): ChainValidator[] =>
    (known.known?.holders ?? [])
      .map((holder) => ({
        hotkey: holder.hotkey,
        uid: holder.uid,
        stakeTao: taoOf(holder.stakeRao),
        verdict: judge(holder, rule),
      }))
      .toSorted((one, other) => other.stakeTao - one.stakeTao);
  const status = (): ChainStatus => statusOf(parts, validators());
  return {
    permitted: (hotkey) => known.permitted(hotkey),
    status,
    validators,
    announce: async () => {
      const over = new AbortController();
      const work = watch.announceNow(parts.signal).finally(() => over.abort());
      // Whichever comes second is not waited for; what fails then is told by the status.
      const late = parts.clock.sleep(ANNOUNCE_WAIT_MS, over.signal).catch(() => work);
      await Promise.race([work, late]);
      late.catch(() => undefined);
      work.catch(() => undefined);
      return status();
    },
  };
}

/** Where the agent does without the chain. */
export function chainOff(): ChainDesk {
  const off = (): never => {
    throw new AppError("chain-off");
  };
  return { permitted: () => false, status: off, validators: off, announce: off };
}

const STATES = { nothing: "announced", announce: "due", wait: "waiting", "register-first": "not-registered" } as const;

function statusOf(
  { network, netuid, hotkey, known, watch, wanted }: DeskParts,
  validators: ChainValidator[],
): ChainStatus {
  const { metagraph, readAtMs, readProblem, announceProblem } = watch.seen;
  const standing = metagraph && standingOf(metagraph, hotkey);
  const axon = wanted();
  const onChain = metagraph && neuronOf(metagraph, hotkey)?.axon;
  const due = watch.due();
  return {
    network,
    netuid,
    hotkey,
    ...(metagraph && { block: metagraph.block, registered: standing !== undefined }),
    ...(readAtMs !== undefined && { readAt: instant(readAtMs) }),
    ...(standing && { standing }),
    axon: {
      ...(axon && { wanted: axonText(axon) }),
      ...(onChain && { onChain: axonText(onChain) }),
      state: axon === undefined ? "off" : due === undefined ? "unknown" : STATES[due.do],
    },
    validators: {
      permitted: validators.filter(({ verdict }) => verdict === "permitted").length,
      known: validators.length,
      ...(known.known && { readAt: instant(known.known.readAtMs) }),
    },
    ...(readProblem && { readProblem: problemOf(readProblem) }),
    ...(announceProblem && { announceProblem: problemOf(announceProblem) }),
  };
}

function problemOf({ atMs, error }: Problem) {
  return { at: instant(atMs), code: error.code, message: error.message };
}

function axonText({ ip, port }: Axon): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
