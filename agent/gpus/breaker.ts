/**
 * The fleet's brake: where GPUs fail on many hosts at the same time the cause is likely none of theirs, such as a driver that was
 * rolled out or the power. Then no host resets or boots anything by itself until an operator says so. Tests go on.
 */
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import type { Accelerator } from "../../protocol/accelerator.ts";
import type { GpuUuid, HostId } from "../../protocol/ids.ts";
import type { BreakerView } from "../../protocol/operator-gpus.ts";

export const WAVE = {
  withinMs: 600_000,
  /** Of all hosts that told of GPUs, more than this share, and at least so many. */
  share: 0.2,
  hosts: 3,
} as const;

/** A GPU that came to be fenced. */
export interface NewFence {
  readonly hostId: HostId;
  readonly gpu: GpuUuid;
  readonly atMs: number;
}

/** The hosts of a wave; undefined where there is none. Pure. */
function waveOf(fences: readonly NewFence[], hosts: number, nowMs: number): readonly HostId[] | undefined {
  const young = fences.filter(({ atMs }) => nowMs - atMs <= WAVE.withinMs);
  const hit = [...new Set(young.map(({ hostId }) => hostId))];
  return hit.length >= WAVE.hosts && hit.length > hosts * WAVE.share ? hit : undefined;
}

export class FleetBreaker {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #listeners = new Set<() => void>();
  /** By host what is fenced there; what was fenced when a host told first is no news. */
  readonly #fenced = new Map<HostId, ReadonlySet<GpuUuid>>();
  #fences: readonly NewFence[] = [];
  #tripped: { readonly sinceMs: number; readonly hosts: readonly HostId[] } | undefined;

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Why hosts may do nothing but test; undefined where they may. */
  get forbidden(): string | undefined {
    if (this.#tripped === undefined) return undefined;
    return `GPUs of ${this.#tripped.hosts.length} hosts failed within minutes; \`lium-agent gpus resume\` lets hosts go on.`;
  }

  /** Told when `forbidden` has changed, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes what a host told of its GPUs. */
  saw(hostId: HostId, gpus: readonly Pick<Accelerator, "uuid" | "health">[]): void {
    const fenced = new Set(gpus.filter(({ health }) => health.state === "fenced").map(({ uuid }) => uuid));
    const before = this.#fenced.get(hostId);
    this.#fenced.set(hostId, fenced);
    if (before === undefined) return;
    const nowMs = this.#clock.now();
    const news = [...fenced].filter((uuid) => !before.has(uuid)).map((gpu) => ({ hostId, gpu, atMs: nowMs }));
    if (news.length === 0) return;
    this.#fences = [...this.#fences.filter(({ atMs }) => nowMs - atMs <= WAVE.withinMs), ...news];
    const hosts = waveOf(this.#fences, this.#fenced.size, nowMs);
    if (hosts === undefined || this.#tripped !== undefined) return;
    this.#tripped = { sinceMs: nowMs, hosts };
    this.#log.error("GPUs fail on many hosts: none resets or boots anything by itself now", { hosts });
    this.#tell();
  }

  view(): BreakerView {
    if (this.#tripped === undefined) return { tripped: false };
    const { sinceMs, hosts } = this.#tripped;
    return { tripped: true, since: new Date(sinceMs).toISOString(), hosts: [...hosts] };
  }

  /** An operator's word that hosts may go on; what was counted until then counts no more. */
  resume(): BreakerView {
    const wasTripped = this.#tripped !== undefined;
    this.#tripped = undefined;
    this.#fences = [];
    if (wasTripped) this.#log.warn("an operator lets hosts reset and boot again");
    if (wasTripped) this.#tell();
    return this.view();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
