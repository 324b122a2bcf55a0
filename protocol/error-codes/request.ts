/**
 * Refusals about what is asked. See protocol/errors.ts.
 */
import type { ErrorEntry } from "./entry.ts";

export const REQUEST_ERRORS = {
  "body-too-large": {
    status: 413,
    impact: "The request was refused before it was read.",
    remedy: "Send a smaller body.",
  },
  "rate-limited": {
    status: 429,
    impact: "The request was refused before it was read.",
    remedy: "Wait as long as the Retry-After header says.",
  },
  "invalid-request": {
    status: 400,
    impact: "Nothing was changed.",
    remedy: "Correct the fields that the details name; /openapi.json describes them.",
  },
  "route-not-found": {
    status: 404,
    impact: "Nothing was changed.",
    remedy: "See /openapi.json for the routes of this version.",
  },
  "ssh-key-invalid": {
    status: 400,
    impact: "The key was refused and nothing was written.",
    remedy: "Send one OpenSSH public key on one line, without options.",
  },
  "image-reference-invalid": {
    status: 400,
    impact: "Nothing was pulled.",
    remedy: "Write the image as [registry/]name[:tag][@sha256:digest].",
  },
  "challenge-refused": {
    status: 409,
    impact: "The challenge was not taken; nothing was held or changed.",
    remedy: "Read the message: which of its fields does not fit this agent, this host or this moment.",
  },
  "agent-cannot-sign": {
    status: 409,
    impact: "The challenge was not taken: this agent has its hotkey's address alone.",
    remedy: "Its provider sets `hotkey.file` in agent.toml.",
  },
  "challenge-busy": {
    status: 429,
    impact: "The challenge was not taken: another one is under way on this host.",
    remedy: "Try again when that one is over, in some minutes at the latest.",
  },
  "challenge-repeated": {
    status: 409,
    impact: "The challenge was not taken: its nonce was used before, and counts once.",
    remedy: "Draw a new nonce for every challenge.",
  },
  "challenge-not-found": {
    status: 404,
    impact: "Nothing was changed.",
    remedy: "Challenges are forgotten some minutes after their end and when the agent starts anew: begin another one.",
  },
  "challenge-out-of-order": {
    status: 409,
    impact: "The step was not taken.",
    remedy: "Wait for the phase before it: GET the challenge with `await`.",
  },
  "challenge-failed": {
    status: 500,
    impact: "The host could not prove what it was asked; its GPUs are free again.",
    remedy: "Read the message, then run `lium-agent check` for this host.",
  },
  "challenge-disturbs": {
    status: 409,
    impact: "The challenge was not taken: it would slow the pods that are on this host.",
    remedy: "Try again when nobody rents it, or ask for a kind that disturbs nobody: inventory or ports.",
  },
  "pod-not-found": { status: 404, impact: "Nothing was changed.", remedy: "List your pods to see their ids." },
  "host-not-found": { status: 404, impact: "Nothing was changed.", remedy: "List the hosts to see their ids." },
  "gpu-not-fenced": {
    status: 409,
    impact: "Nothing was changed.",
    remedy: "See `lium-executor gpus list` for what is said of this GPU, and `gpus incidents` for the fences.",
  },
  "faults-refused": {
    status: 409,
    impact: "No fault was made.",
    remedy: "Faults are for made-up GPUs alone: set `gpus.simulate`.",
  },
  "gpu-not-found": {
    status: 404,
    impact: "Nothing was shown.",
    remedy: "List the GPUs to see their UUIDs; a host tells of its own once it is connected.",
  },
  "pod-ended": { status: 409, impact: "The pod has ended and cannot be changed.", remedy: "Rent a new pod." },
  "lease-expired": {
    status: 409,
    impact: "The pod was not created or changed.",
    remedy: "Ask for a lease that ends in the future.",
  },
  "idempotency-mismatch": {
    status: 409,
    impact: "Nothing was created.",
    remedy: "Use a new idempotency key for a different request.",
  },
} as const satisfies Record<string, ErrorEntry>;
