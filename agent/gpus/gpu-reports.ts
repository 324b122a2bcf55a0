/**
 * What hosts told last of their accelerators, in memory: after a restart they are asked again. A host that stays away keeps
 * what it told until so many others have told since; a report that cannot be read costs that host's picture and not its link.
 */
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import { GpuReport, type HeldGpus, takeGpuReport } from "../../protocol/gpu-report.ts";
import type { HostId } from "../../protocol/ids.ts";
import { FleetBreaker } from "./breaker.ts";

export interface ToldGpus extends HeldGpus {
  /** Milliseconds since the epoch. */
  readonly heardAtMs: number;
}

export interface GpuReportsDeps {
  readonly clock: Clock;
  readonly log: Logger;
}

const MOST_HOSTS = 4_096;

export class GpuReports {
  /** Hears of every report. */
  readonly breaker: FleetBreaker;
  readonly #deps: GpuReportsDeps;
  /** The one that told longest ago first. */
  readonly #hosts = new Map<HostId, ToldGpus>();

  constructor(deps: GpuReportsDeps) {
    this.#deps = deps;
    this.breaker = new FleetBreaker(deps);
  }

  of(hostId: HostId): ToldGpus | undefined {
    return this.#hosts.get(hostId);
  }

  /** Asks the host to tell from what is known of it on, and takes what it tells then. */
  listen(hostId: HostId, ask: (from: string | undefined) => void): (report: unknown) => void {
    const from = this.of(hostId)?.cursor;
    let awaitsAll = from === undefined;
    let isDeaf = false;
    ask(from);
    return (told) => {
      if (isDeaf) return;
      const { data: report, error } = GpuReport.safeParse(told);
      if (report === undefined) {
        isDeaf = true;
        this.#hosts.delete(hostId);
        this.#deps.log.warn("what a host tells of its GPUs cannot be read", { hostId, error });
        return;
      }
      const held = takeGpuReport(this.of(hostId), report);
      if (held !== undefined) this.#keep(hostId, held);
      else if (!awaitsAll) ask(undefined);
      awaitsAll = held === undefined;
    };
  }

  #keep(hostId: HostId, held: HeldGpus): void {
    this.#hosts.delete(hostId);
    this.#hosts.set(hostId, { ...held, heardAtMs: this.#deps.clock.now() });
    this.breaker.saw(hostId, held.state.gpus);
    const [oldest] = this.#hosts.keys();
    if (this.#hosts.size > MOST_HOSTS && oldest !== undefined) this.#hosts.delete(oldest);
  }
}
