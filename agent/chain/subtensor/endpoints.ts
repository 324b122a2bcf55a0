/**
 * In which order nodes are asked: as configured, but one that failed comes last for a while.
 */
import type { Clock } from "../../../common/clock.ts";

const REST_MS = 600_000;

export interface Endpoints {
  ordered(): readonly string[];
  failed(endpoint: string): void;
}

export function createEndpoints(configured: readonly string[], clock: Clock): Endpoints {
  const restsUntil = new Map<string, number>();
  const rests = (endpoint: string): boolean => (restsUntil.get(endpoint) ?? -Infinity) > clock.monotonic();
  return {
    ordered: () => [
      ...configured.filter((endpoint) => !rests(endpoint)),
      ...configured.filter((endpoint) => rests(endpoint)),
    ],
    failed: (endpoint) => void restsUntil.set(endpoint, clock.monotonic() + REST_MS),
  };
}
