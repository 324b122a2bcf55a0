/**
 * A connection to one host, as the fleet sees it. Sending never waits and never fails: what was not heard is sent again
 * when the host comes back, because the fleet keeps what it wants.
 */
import type { ChallengeOrder } from "../../protocol/challenge/exchange.ts";
import type { PodId } from "../../protocol/ids.ts";
import type { LogLine, LogQuery, WantedPod } from "../../protocol/pod.ts";

export interface HostLink {
  want(pods: readonly WantedPod[]): void;
  /** Ends with the pod's log or when `signal` aborts. Throws `host-unreachable`, or what the host refused it with. */
  logs(podId: PodId, query: LogQuery, signal: AbortSignal): AsyncIterable<LogLine>;
  /** Says whether this host knows of challenges, and was sent the order. */
  challenge(order: ChallengeOrder): boolean;
  /** Lets the connection go; another one of the same host has taken its place. */
  replace(): void;
}
