/**
 * Refusals about who is calling. See protocol/errors.ts.
 */
import type { ErrorEntry } from "./entry.ts";

export const CALLER_ERRORS = {
  "auth-malformed": {
    status: 401,
    impact: "The request was not authenticated.",
    remedy: "Send the X-Bittensor headers of btauth/1, each exactly once and in its documented form.",
  },
  "auth-scheme-refused": {
    status: 401,
    impact: "The request was not authenticated.",
    remedy: "Sign with sr25519 or ed25519, the scheme registered for this hotkey.",
  },
  "auth-wrong-receiver": {
    status: 401,
    impact: "The request was meant for another agent.",
    remedy: "Set X-Bittensor-Receiver to this agent's hotkey and sign again.",
  },
  "auth-stale": {
    status: 401,
    impact: "The request was not authenticated.",
    remedy: "Sign a new nonce for every attempt, and check this machine's clock.",
  },
  "auth-future": {
    status: 401,
    impact: "The request was not authenticated.",
    remedy: "The nonce lies in the future: check the clock of the machine that signs.",
  },
  "auth-bad-signature": {
    status: 401,
    impact: "The request was not authenticated.",
    remedy: "Sign exactly the method, target, body and receiver that are sent.",
  },
  "auth-replayed": {
    status: 401,
    impact: "The request was seen before and was not carried out again.",
    remedy: "Sign a new nonce for every attempt.",
  },
  "auth-hotkey-not-allowed": {
    status: 403,
    impact: "The caller is not served here.",
    remedy: "Hold a validator permit with enough stake on the subnet, or ask the provider to allow this hotkey.",
  },
} as const satisfies Record<string, ErrorEntry>;
