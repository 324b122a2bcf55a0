/**
 * Sums of usage, pod by pod. Everything is added up in whole milliseconds and bytes and rounded down to seconds once, when it
 * is read: a total is less than a second below the truth, however many entries it has.
 */
import type { PodId } from "../../protocol/ids.ts";
import type { UsageAmounts, UsageEntry, UsageReason, UsageTotal } from "../../protocol/usage.ts";

interface Sum {
  ms: number;
  gpuMs: Map<string, number>;
  cpuMicroMs: bigint;
  memoryByteMs: bigint;
  diskByteMs: bigint;
  inBytes: number;
  outBytes: number;
}

interface PodSum {
  fromMs: number;
  toMs: number;
  readonly billed: Sum;
  readonly unbilled: Sum;
  readonly msByReason: Map<UsageReason, number>;
}

export class Totals {
  readonly #pods = new Map<PodId, PodSum>();

  add(entry: UsageEntry): void {
    const { podId, atMs, ms, reason } = entry;
    const known = this.#pods.get(podId);
    const pod = known ?? { fromMs: atMs - ms, toMs: atMs, billed: zero(), unbilled: zero(), msByReason: new Map() };
    if (known === undefined) this.#pods.set(podId, pod);
    pod.toMs = atMs;
    pod.msByReason.set(reason, (pod.msByReason.get(reason) ?? 0) + ms);
    addTo(pod[entry.kind], entry);
  }

  /** In the order in which the pods first came. */
  list(): UsageTotal[] {
    return [...this.#pods].map(([podId, { fromMs, toMs, billed, unbilled, msByReason }]) => ({
      podId,
      from: new Date(fromMs).toISOString(),
      to: new Date(toMs).toISOString(),
      billed: amountsOf(billed),
      unbilled: amountsOf(unbilled),
      secondsByReason: Object.fromEntries([...msByReason].map(([reason, ms]) => [reason, seconds(ms)])),
    }));
  }
}

function zero(): Sum {
  return { ms: 0, gpuMs: new Map(), cpuMicroMs: 0n, memoryByteMs: 0n, diskByteMs: 0n, inBytes: 0, outBytes: 0 };
}

function addTo(sum: Sum, { ms, gpus, cpus, memoryBytes, diskBytes, inBytes = 0, outBytes = 0 }: UsageEntry): void {
  sum.ms += ms;
  for (const uuid of gpus) sum.gpuMs.set(uuid, (sum.gpuMs.get(uuid) ?? 0) + ms);
  sum.cpuMicroMs += BigInt(Math.round(cpus * 1e6)) * BigInt(ms);
  sum.memoryByteMs += BigInt(memoryBytes) * BigInt(ms);
  sum.diskByteMs += BigInt(diskBytes) * BigInt(ms);
  sum.inBytes += inBytes;
  sum.outBytes += outBytes;
}

function amountsOf(sum: Sum): UsageAmounts {
  const gpuMs = [...sum.gpuMs.values()].reduce((all, ms) => all + ms, 0);
  return {
    seconds: seconds(sum.ms),
    gpuSeconds: seconds(gpuMs),
    gpuSecondsByUuid: Object.fromEntries([...sum.gpuMs].map(([uuid, ms]) => [uuid, seconds(ms)])),
    cpuSeconds: Number(sum.cpuMicroMs / 1_000_000_000n),
    memoryByteSeconds: (sum.memoryByteMs / 1000n).toString(),
    diskByteSeconds: (sum.diskByteMs / 1000n).toString(),
    inBytes: sum.inBytes,
    outBytes: sum.outBytes,
  };
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}
