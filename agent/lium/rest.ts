/**
 * The REST twin: one signed-in request each, answered by the same desk. Its sign-in covers neither path nor body, so each
 * one counts once, and a key must carry the validator's own signature.
 */
import type { Handlers, RawRequest } from "../../common/http-server.ts";
import { AppError } from "../../protocol/errors.ts";
import type { Hotkey } from "../../protocol/ids.ts";
import type { LiumReply } from "../../protocol/lium/replies.ts";
import type { KeyRequest } from "../../protocol/lium/requests.ts";
import { liumApi, readSignInHeaders } from "../../protocol/lium/rest.ts";
import type { ValidatorAccess } from "./access.ts";
import type { KeyDesk } from "./desk.ts";
import type { Door } from "./door.ts";
import { checkSignIn, hasSigned, servedHotkey, type SignInDeps } from "./sign-in.ts";

export interface LiumRestDeps {
  readonly signIn: SignInDeps;
  readonly access: ValidatorAccess;
  readonly desk: KeyDesk;
  readonly door: Door;
}

/** Whoever the headers say; undefined where the body says who asks. */
type Caller = Hotkey | undefined;

/** For the validators' listener, beside its own table. */
export function liumRest({ signIn, access, desk, door }: LiumRestDeps) {
  const authenticate = async ({ target, headers }: RawRequest): Promise<Caller> => {
    if (target === liumApi.executors.path) return undefined;
    const claim = readSignInHeaders(headers);
    const validator = await checkSignIn(claim, claim.payload.validator_hotkey, signIn);
    if (!door.mayAsk(validator)) throw new AppError("rate-limited");
    return validator;
  };

  const answer = async ({ caller, body }: { caller: Caller; body: KeyRequest }): Promise<LiumReply> => {
    if (caller === undefined) throw new AppError("auth-malformed");
    if ((body.miner_hotkey ?? signIn.hotkey) !== signIn.hotkey) throw new AppError("auth-wrong-receiver");
    const isUnsigned = body.message_type !== "GetPodLogsRequest" && typeof body.validator_signature !== "string";
    if (isUnsigned) throw new AppError("auth-malformed", { message: "validator_signature is missing." });
    const given = await desk.answer(caller, body);
    if ("refuse" in given) throw new AppError(given.refuse);
    return given.reply;
  };

  const handlers: Handlers<typeof liumApi, Caller> = {
    submitKey: answer,
    removeKey: answer,
    podLogs: answer,
    executors: ({ body: { validator_hotkey, signature } }) => {
      const validator = servedHotkey(validator_hotkey, signIn);
      if (!door.mayAsk(validator)) throw new AppError("rate-limited");
      if (!hasSigned(validator, validator, signature)) throw new AppError("auth-bad-signature");
      const executors = access.executorsFor(validator).map(({ uuid, address, port }) => ({ uuid, address, port }));
      return { validator_hotkey, executors };
    },
  };

  return { routes: liumApi, handlers, authenticate };
}
