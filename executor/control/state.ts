/**
 * The host in one look, for its operator.
 */
import type { Handlers } from "../../common/http-server.ts";
import type { stateRoutes } from "../../protocol/host-api/state.ts";
import type { PodStatus } from "../../protocol/pod.ts";
import type { CurrentFacts } from "../host/current-facts.ts";
import type { HostOperator } from "./server.ts";

export interface StateParts {
  readonly facts: CurrentFacts;
  readonly engine: { readonly answering: boolean };
  readonly pods: { reports(): readonly { readonly status: PodStatus }[] };
  /** Undefined when this host has not joined an agent. */
  readonly link: { readonly connected: boolean } | undefined;
}

export function stateHandlers({ facts, engine, pods, link }: StateParts): Handlers<typeof stateRoutes, HostOperator> {
  return {
    state: () => ({
      facts: facts.value,
      engineAnswers: engine.answering,
      ...(link === undefined ? {} : { linked: link.connected }),
      pods: countByPhase(pods.reports()),
    }),
  };
}

function countByPhase(reports: readonly { readonly status: PodStatus }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of reports) counts[status.phase] = (counts[status.phase] ?? 0) + 1;
  return counts;
}
