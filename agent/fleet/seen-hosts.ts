/**
 * Hosts as renters may have them: what is there and free, less what is fenced or worked on.
 */
import type { GpuReports } from "../gpus/gpu-reports.ts";
import type { OffersConfig } from "./offers-config.ts";
import { type GpuTrouble, gpuTroubleOf, type Terms, termsOf } from "./offers.ts";
import type { Candidate } from "./placement.ts";
import type { Roster } from "./roster.ts";
import { candidateOf } from "./view.ts";

export interface SeenHost {
  readonly candidate: Candidate;
  readonly hostKey: string;
  readonly terms: Terms;
  readonly trouble: GpuTrouble;
}

export interface Seeing {
  /** Made-up GPUs are nothing elsewhere than on `development`. */
  readonly network: string;
  readonly offers: OffersConfig;
}

export function seenHosts(roster: Roster, gpus: Pick<GpuReports, "of">, { network, offers }: Seeing): SeenHost[] {
  return roster.hosts().map((host) => {
    const { hostId, publicKey: hostKey } = host.record;
    const terms = termsOf(offers, host.record);
    const trouble = gpuTroubleOf(gpus.of(hostId)?.state.gpus ?? []);
    const withheld = { ...trouble, ...terms, reserved: roster.reservedOn(hostId) };
    const pods = roster.activeOn(hostId);
    return { candidate: candidateOf(host, pods, network === "development", withheld), hostKey, terms, trouble };
  });
}
