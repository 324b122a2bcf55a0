/**
 * Refusals about joining, configuration and our own faults. See protocol/errors.ts.
 */
import type { ErrorEntry } from "./entry.ts";

export const OWN_ERRORS = {
  "join-token-invalid": {
    status: 401,
    impact: "The host was not enrolled.",
    remedy: "Make a new token with `lium-agent invite`; a token works once and expires.",
  },
  "link-refused": {
    status: 401,
    impact: "The executor cannot talk to the agent; its pods go on.",
    remedy: "Enrol the host again with a new join token.",
  },
  "link-protocol": {
    status: 400,
    impact: "The link was closed; pods go on.",
    remedy: "Bring agent and executor to the same version.",
  },
  "check-failed": {
    status: 500,
    impact: "Validators would hold against this provider what was found.",
    remedy: "Do what is written beside each finding, then run the check again.",
  },
  "config-invalid": {
    status: 400,
    impact: "The program did not start.",
    remedy: "Correct the key that is named, in the file that is named.",
  },
  "usage-changed": {
    status: 409,
    impact: "The record of usage is not what this host wrote; do not settle accounts by it.",
    remedy:
      "See the faults that were found; compare with an earlier export, and look for damaged files beside usage.db.",
  },
  "state-too-new": {
    status: 409,
    impact: "The program did not start, and its state was not touched.",
    remedy: "Run the version that wrote it, or take it a step back with that version: `state downgrade`.",
  },
  "already-exists": {
    status: 409,
    impact: "Nothing was overwritten.",
    remedy: "Use what is there, or give another path.",
  },
  "hotkey-file-invalid": {
    status: 400,
    impact: "The hotkey was not loaded.",
    remedy: "Give a hotkey file as btcli writes it, and the file with its password if it has one; never a coldkey.",
  },
  "command-failed": {
    status: 500,
    impact: "A program on this machine failed.",
    remedy: "Its name and output are in the details.",
  },
  "connection-failed": {
    status: 503,
    impact: "The other side could not be reached; nothing is known about the outcome.",
    remedy: "Check the address and that the program runs, then try again.",
  },
  "log-reader-too-slow": {
    status: 408,
    impact: "The log was read more slowly than the pod writes it, and reading was ended; the pod goes on.",
    remedy: "Read again with `since` or a smaller `tail`, from nearer to the agent.",
  },
  "deadline-exceeded": {
    status: 504,
    impact: "The work took longer than allowed; it may still finish.",
    remedy: "Look at the pod's state, then try again.",
  },
  "chain-unreachable": {
    status: 503,
    impact: "The chain was not read; validators are served by what was last known of them.",
    remedy: "See what each endpoint said; put a node of your own first in [chain] endpoints.",
  },
  "chain-refused": {
    status: 409,
    impact: "The chain did not take the announcement; validators go on dialling the address announced before.",
    remedy: "See the reason in the details: register the hotkey with btcli, correct the address, or wait.",
  },
  "chain-client-missing": {
    status: 503,
    impact: "The chain cannot be read: its client, an optional package, is not installed.",
    remedy: "Install again without leaving optional packages out, or set enabled = false in [chain].",
  },
  "chain-off": {
    status: 409,
    impact: "This agent does not use the chain; only [[validator.allow]] is served.",
    remedy: "Set enabled = true in [chain], and endpoints on a development network; restart the agent.",
  },
  internal: {
    status: 500,
    impact: "An unexpected fault of ours.",
    remedy: "Report it with the request id and the log lines around it.",
  },
} as const satisfies Record<string, ErrorEntry>;
