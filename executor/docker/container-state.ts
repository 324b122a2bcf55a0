/**
 * The engine's words for the state of a container, as ours. A word that we do not know is none of a container that runs.
 */
import type { ContainerState } from "./runtime.ts";

/** `dead` is a removal that got stuck. */
export function toState(status: string): ContainerState {
  switch (status) {
    case "created":
    case "running":
    case "paused":
    case "exited":
      return status;
    case "restarting":
      return "running";
    default:
      return "removing";
  }
}
