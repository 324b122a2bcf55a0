/**
 * Who examines an agent's hosts: a validator, or the provider that wants to know what one would find. Everything is checked by this
 * side alone; of what the agent says nothing is believed that is not signed or computed again.
 */
import { randomBytes } from "node:crypto";

import type { Clock } from "../../common/clock.ts";
import { verifyEd25519 } from "../../common/ed25519.ts";
import { initHotkeys, verifySignature } from "../../common/hotkey.ts";
import type { HttpClient } from "../../common/http-client.ts";
import type { challengeApi, ChallengeView } from "../../protocol/challenge/exchange.ts";
import type { SignatureChecks } from "../../protocol/challenge/signing.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import type { Hotkey } from "../../protocol/ids.ts";

export interface Examiner {
  readonly client: HttpClient<typeof challengeApi>;
  /** Who signs the requests. */
  readonly validator: Hotkey;
  readonly agent: Hotkey;
  readonly clock: Clock;
}

/** What every challenge names besides its task. */
export interface Envelope {
  readonly version: 1;
  readonly nonce: string;
  readonly validator: Hotkey;
  readonly agent: Hotkey;
  readonly hostKey: string;
  readonly issuedAt: string;
}

const AWAIT_SECONDS = 30;
/** A challenge is taken as long as it is half a minute old. */
const BUSY_MS = 20_000;
const BUSY_AGAIN_MS = 250;

export async function envelope({ validator, agent, clock }: Examiner, hostKey: string): Promise<Envelope> {
  await initHotkeys();
  const issuedAt = new Date(clock.now()).toISOString();
  return { version: 1, nonce: randomBytes(32).toString("hex"), validator, agent, hostKey, issuedAt };
}

/** A hotkey is of the one scheme or of the other, and its address does not tell which. */
export const SIGNATURE_CHECKS: SignatureChecks = {
  host: (bytes, signature, publicKey) => verifyEd25519(publicKey, bytes, signature),
  agent: (bytes, signature, hotkey) =>
    verifySignature("sr25519", bytes, signature, hotkey) || verifySignature("ed25519", bytes, signature, hotkey),
};

/** Resolves once the challenge is so far. Throws the host's reason where it failed, and `deadline-exceeded`. */
export async function untilPhase(
  { client, clock }: Examiner,
  { view, phase, withinMs }: { view: ChallengeView; phase: "committed" | "open" | "answered"; withinMs: number },
  signal: AbortSignal,
): Promise<ChallengeView> {
  const endsAtMs = clock.monotonic() + withinMs;
  for (let seen = view; ;) {
    if (seen.phase === "failed") throw asError(seen);
    if (seen.phase === phase || seen.phase === "answered") return seen;
    const leftMs = endsAtMs - clock.monotonic();
    if (leftMs <= 0) throw new AppError("deadline-exceeded", { message: `It was not ${phase} within ${withinMs} ms.` });
    signal.throwIfAborted();
    const awaitSeconds = String(Math.max(1, Math.min(AWAIT_SECONDS, Math.ceil(leftMs / 1000))));
    seen = await client.getChallenge({ params: { id: view.id }, query: { await: phase, awaitSeconds } }, signal);
  }
}

/** Asks again for a while where the host has not let go of the challenge before. Throws what the agent refuses. */
export async function begin(
  ask: () => Promise<ChallengeView>,
  { clock }: Examiner,
  signal: AbortSignal,
): Promise<ChallengeView> {
  const giveUpAtMs = clock.monotonic() + BUSY_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (toAppError(error).code !== "challenge-busy" || clock.monotonic() > giveUpAtMs) throw error;
      await clock.sleep(BUSY_AGAIN_MS, signal);
    }
  }
}

/** Gives it up, or closes what is open for it; whatever comes of that. */
export async function letGo({ client }: Examiner, { id }: ChallengeView): Promise<void> {
  await client.cancelChallenge({ params: { id } }).catch(() => undefined);
}

function asError({ reason }: ChallengeView): AppError {
  const message = reason === undefined ? "The host did not say why." : `${reason.code}: ${reason.message}`;
  return new AppError("challenge-failed", { message, details: { ...reason } });
}
