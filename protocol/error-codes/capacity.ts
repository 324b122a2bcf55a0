/**
 * Refusals about what the fleet and the host can give. See protocol/errors.ts.
 */
import type { ErrorEntry } from "./entry.ts";

export const CAPACITY_ERRORS = {
  "no-capacity": {
    status: 409,
    impact: "No host can take this pod now; nothing was created.",
    remedy: "Ask for less, or watch /v1/capacity and try again.",
  },
  "secret-wrong-host": {
    status: 409,
    impact: "The sealed values can be opened by no connected host; nothing was created.",
    remedy: "Seal to the sealingKey of a host in /v1/capacity.",
  },
  "gpu-taken": {
    status: 409,
    impact: "The pod was not started.",
    remedy: "Ask for other GPUs; the holder is named in the details.",
  },
  "gpu-unknown": {
    status: 409,
    impact: "The pod was not started.",
    remedy: "The host no longer shows this GPU: run `lium-executor status` there.",
  },
  "host-full": {
    status: 409,
    impact: "The pod was not started.",
    remedy: "Free CPU, memory or disk on the host, or choose another host.",
  },
  "ports-exhausted": {
    status: 409,
    impact: "The pod was not started.",
    remedy: "Widen ports.range in executor.toml, or end pods that hold ports.",
  },
  "secret-unreadable": {
    status: 400,
    impact: "The pod was not started.",
    remedy: "Seal the values again to this host's sealingKey.",
  },
  "host-unreachable": {
    status: 503,
    impact: "The host cannot be asked now; the pods on it go on.",
    remedy: "Try again; if it lasts, check the executor and its network.",
  },
} as const satisfies Record<string, ErrorEntry>;
