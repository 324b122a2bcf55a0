/**
 * Whether the record of usage is what this host wrote: every entry follows from the one before, the chain begins at its
 * genesis or at a checkpoint that the host signed, and ends where its key says. A rollback to an older copy of the whole file
 * is found only against a head that somebody noted before.
 */
import { setImmediate as letOthersRun } from "node:timers/promises";

import type { SignedSeal, UsageFault, UsageVerdict } from "../../protocol/usage.ts";
import { genesis, hashAt, isGenuine, type Link } from "./chain.ts";
import type { StoredEntry, UsageStore } from "./usage-store.ts";

export interface Verification {
  /** base64 of the host's ed25519 public key. */
  readonly host: string;
  /** A head that was noted before: the chain must still hold it. */
  readonly known?: Link | undefined;
}

const PAGE = 500;
const MOST_FAULTS = 20;

/** The work is cut into pieces, so that nobody waits for it. Nothing may be pruned meanwhile. */
export async function verifyUsage(
  store: Pick<UsageStore, "after" | "seal" | "last">,
  { host, known }: Verification,
): Promise<UsageVerdict> {
  const [head, checkpoint, last] = [store.seal("head"), store.seal("checkpoint"), store.last()];
  const faults = checkpoint === undefined ? [] : faultsOfSeal(checkpoint, host, "checkpoint");
  let end: Link = checkpoint !== undefined && faults.length === 0 ? checkpoint.seal : genesis(host);
  let entries = 0;
  for (let seq = 0; last !== undefined && seq < last.seq;) {
    // What is added while we look is not ours to judge.
    const page = store.after(seq, PAGE).filter((entry) => entry.seq <= last.seq);
    for (const entry of page) {
      faults.push(...faultsOfEntry(end, entry), ...faultsOfKnown(entry, known));
      end = entry;
    }
    entries += page.length;
    seq = page.at(-1)?.seq ?? last.seq;
    await letOthersRun();
  }
  faults.push(...faultsOfEnd(end, head, host));
  if (known !== undefined && known.seq > end.seq) faults.push(unknownHead(known.seq));
  return {
    intact: faults.length === 0,
    entries,
    host,
    ...(head === undefined ? {} : { head }),
    ...(checkpoint === undefined ? {} : { checkpoint }),
    faults: faults.slice(0, MOST_FAULTS),
  };
}

function faultsOfEntry(before: Link, { seq, body, hash }: StoredEntry): UsageFault[] {
  if (seq <= before.seq) return [{ code: "entry-changed", seq, message: `Entry ${seq} is not part of the chain.` }];
  if (seq > before.seq + 1) {
    const message = `Entries ${before.seq + 1} to ${seq - 1} are missing.`;
    return [{ code: "entry-missing", seq: before.seq + 1, message }];
  }
  if (hashAt(seq, before.hash, body) === hash) return [];
  return [{ code: "entry-changed", seq, message: `Entry ${seq} does not follow from the one before it.` }];
}

function faultsOfKnown({ seq, hash }: Link, known: Link | undefined): UsageFault[] {
  return seq === known?.seq && hash !== known.hash ? [unknownHead(seq)] : [];
}

function unknownHead(seq: number): UsageFault {
  return { code: "head-unknown", seq, message: `The head that was noted, entry ${seq}, is not in this chain.` };
}

function faultsOfSeal(seal: SignedSeal, host: string, what: "head" | "checkpoint"): UsageFault[] {
  if (isGenuine(seal, host, what)) return [];
  return [{ code: "seal-invalid", seq: seal.seal.seq, message: `The ${what} is not signed by this host's key.` }];
}

function faultsOfEnd(end: Link, head: SignedSeal | undefined, host: string): UsageFault[] {
  if (head === undefined) {
    if (end.seq === 0) return [];
    return [{ code: "end-unsigned", seq: end.seq, message: "The signature of the chain's end is missing." }];
  }
  const { seq, hash } = head.seal;
  const forged = faultsOfSeal(head, host, "head");
  if (forged.length > 0) return forged;
  if (seq > end.seq) {
    return [{ code: "end-missing", seq: end.seq + 1, message: `Entries ${end.seq + 1} to ${seq} are missing.` }];
  }
  if (seq < end.seq) {
    return [{ code: "end-unsigned", seq: seq + 1, message: "Entries were added that the host did not sign." }];
  }
  if (hash === end.hash) return [];
  return [{ code: "entry-changed", seq, message: "The end of the chain is not the one that the host signed." }];
}
