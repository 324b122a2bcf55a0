/**
 * What keeps validators from this agent, and from hosts that are away. Pure.
 */
import type { ChainStatus } from "../../protocol/chain-view.ts";
import type { HostView } from "../../protocol/operator-api.ts";
import { type Finding, fine, found } from "./finding.ts";

/** `chain`: undefined where the agent does without one. */
export function judgeAgent(chain: ChainStatus | undefined): Finding[] {
  if (chain === undefined) {
    return [found("chain", "note", "chain-off", "The chain is turned off.")];
  }
  const { registered, axon, validators, standing } = chain;
  return [
    registered === undefined
      ? found("chain", "note", "not-tried", "The chain was not read yet.")
      : registered
        ? fine("chain", `The hotkey is registered as uid ${standing?.uid ?? "unknown"}.`)
        : found("chain", "failure", "agent-not-registered", "The hotkey is not registered on the subnet."),
    axon.state === "announced"
      ? fine("axon", `The chain tells validators of ${axon.onChain ?? "this agent"}.`)
      : found("axon", "warning", "agent-not-announced", `The announcement is ${axon.state}.`),
    validators.permitted > 0
      ? fine("validators", `${validators.permitted} validators are served.`)
      : found("validators", "warning", "no-validators", "The chain permits no validator."),
  ];
}

export function judgeAway({ hostId, lastSeenAt = "never" }: HostView): Finding {
  return {
    ...found("host", "failure", "host-offline", `The host is not connected; last seen: ${lastSeenAt}.`),
    hostId,
  };
}
