/**
 * A challenge on its way: the routes by which validators drive it, and the words between agent and host.
 *
 *   POST /v1/challenges                     of GPUs; the host begins at once
 *   POST /v1/challenges/host                of the host itself: one answer, and nothing to reveal
 *   GET  /v1/challenges/{id}                how far it is; waits for a phase if asked
 *   POST /v1/challenges/{id}/reveal         the secret, once the commitment is there
 *   GET  /v1/challenges/{id}/answers/{gpu}  the answer of one GPU
 *   DELETE /v1/challenges/{id}              gives it up, or closes what is open for it
 *
 * Its id is the challenge's digest.
 */
import { z } from "zod";

import { GpuUuid, PodId } from "../ids.ts";
import { Reason } from "../pod.ts";
import { route } from "../route.ts";
import { Nothing } from "../validator-api.ts";
import { base64, Digest } from "./bytes.ts";
import { HostAnswer, HostAnswerBody, HostChallenge } from "./host-messages.ts";
import { Answer, AnswerBody, Challenge, Commit, CommitBody, Reveal } from "./messages.ts";

const ChallengeId = Digest;

/**
 * Of GPUs: `working` until the commitment, `committed`, `answering` from the reveal on, `answered` once there is an answer of
 * each. Of a host: `working`, then `open` while it holds open what is to be looked at, then `answered`.
 */
export const ChallengePhase = z.enum(["working", "committed", "answering", "open", "answered", "failed"]);
export type ChallengePhase = z.infer<typeof ChallengePhase>;

export const ChallengeView = z.strictObject({
  id: ChallengeId,
  phase: ChallengePhase,
  commit: Commit.optional(),
  /** Of GPUs: whose answers are there. */
  answered: z.array(GpuUuid),
  /** Of a host. */
  answer: HostAnswer.optional(),
  /** Of `pod`: which pod it is. */
  podId: PodId.optional(),
  /** Why it failed. */
  reason: Reason.optional(),
});
export type ChallengeView = z.infer<typeof ChallengeView>;

const common = { auth: "signed", answer: "json", status: 200 } as const;
const CREATE = [
  "challenge-refused",
  "agent-cannot-sign",
  "challenge-busy",
  "challenge-repeated",
  "host-unreachable",
] as const;
const Params = z.strictObject({ id: ChallengeId });

export const challengeApi = {
  createChallenge: route({
    ...common,
    method: "POST",
    path: "/v1/challenges",
    summary: "Ask GPUs that nobody has to prove what they are; they are held for the challenge's time",
    params: Nothing,
    query: Nothing,
    body: Challenge,
    response: ChallengeView,
    status: 201,
    errors: CREATE,
  }),
  createHostChallenge: route({
    ...common,
    method: "POST",
    path: "/v1/challenges/host",
    summary: "Ask a host what it is, and to hold open ports, a stream or a pod to look at",
    params: Nothing,
    query: Nothing,
    body: HostChallenge,
    response: ChallengeView,
    status: 201,
    errors: [...CREATE, "no-capacity", "host-not-found"],
  }),
  getChallenge: route({
    ...common,
    method: "GET",
    path: "/v1/challenges/{id}",
    summary: "How far a challenge is; with `await` once it is so far, or after `awaitSeconds`",
    params: Params,
    query: z.strictObject({
      await: z.enum(["committed", "open", "answered"]).optional(),
      awaitSeconds: z.coerce.number().int().min(1).max(60).default(30),
    }),
    body: Nothing,
    response: ChallengeView,
    errors: ["challenge-not-found"],
  }),
  revealChallenge: route({
    ...common,
    method: "POST",
    path: "/v1/challenges/{id}/reveal",
    summary: "The secret from which the questions follow; once, and only after the commitment",
    params: Params,
    query: Nothing,
    body: Reveal,
    response: ChallengeView,
    errors: ["challenge-not-found", "challenge-out-of-order", "challenge-refused", "host-unreachable"],
  }),
  getAnswer: route({
    ...common,
    method: "GET",
    path: "/v1/challenges/{id}/answers/{gpu}",
    summary: "What one GPU answered",
    params: z.strictObject({ id: ChallengeId, gpu: GpuUuid }),
    query: Nothing,
    body: Nothing,
    response: Answer,
    errors: ["challenge-not-found", "challenge-out-of-order"],
  }),
  cancelChallenge: route({
    ...common,
    method: "DELETE",
    path: "/v1/challenges/{id}",
    summary: "Give a challenge up, or close what is open for it; its GPUs are free again",
    params: Params,
    query: Nothing,
    body: Nothing,
    response: ChallengeView,
    errors: ["challenge-not-found"],
  }),
} as const;

/** What the agent says to the host; `id` is the challenge's. */
export const ChallengeOrder = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("begin"), id: ChallengeId, challenge: Challenge }),
  /** With the pod that the agent made for it, where it is to show one. */
  z.strictObject({
    do: z.literal("examine"),
    id: ChallengeId,
    challenge: HostChallenge,
    podId: PodId.optional(),
  }),
  z.strictObject({ do: z.literal("reveal"), id: ChallengeId, reveal: Reveal }),
  z.strictObject({ do: z.literal("cancel"), id: ChallengeId }),
]);
export type ChallengeOrder = z.infer<typeof ChallengeOrder>;

const signed = { id: ChallengeId, signature: base64(64, 64) };

/** What the host says of it; signatures are its own, in base64. */
export const ChallengeNews = z.discriminatedUnion("said", [
  z.strictObject({ said: z.literal("committed"), ...signed, body: CommitBody }),
  z.strictObject({ said: z.literal("answered"), ...signed, body: AnswerBody }),
  z.strictObject({ said: z.literal("result"), ...signed, body: HostAnswerBody }),
  /** What was open is closed. */
  z.strictObject({ said: z.literal("closed"), id: ChallengeId }),
  z.strictObject({ said: z.literal("failed"), id: ChallengeId, reason: Reason }),
]);
export type ChallengeNews = z.infer<typeof ChallengeNews>;
