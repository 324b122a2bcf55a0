/**
 * The routes of challenges, each as a call of the desk on behalf of the validator that signed the request.
 */
import type { Handlers } from "../../common/http-server.ts";
import type { challengeApi } from "../../protocol/challenge/exchange.ts";
import type { Owner } from "../validator/auth.ts";
import type { ChallengeDesk } from "./desk.ts";

export function challengeHandlers(desk: ChallengeDesk): Handlers<typeof challengeApi, Owner> {
  return {
    createChallenge: ({ caller, body }) => desk.create(caller.hotkey, body),
    createHostChallenge: ({ caller, body }) => desk.createOfHost(caller.hotkey, body),
    getChallenge: ({ caller, params: { id }, query, signal }) => {
      if (query.await === undefined) return desk.get(caller.hotkey, id);
      const until = AbortSignal.any([signal, AbortSignal.timeout(query.awaitSeconds * 1000)]);
      return desk.await(caller.hotkey, id, query.await, until);
    },
    revealChallenge: ({ caller, params: { id }, body }) => desk.reveal(caller.hotkey, id, body),
    getAnswer: ({ caller, params: { id, gpu } }) => desk.answer(caller.hotkey, id, gpu),
    cancelChallenge: ({ caller, params: { id } }) => desk.cancel(caller.hotkey, id),
  };
}
