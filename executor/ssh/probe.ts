/**
 * Is SSH answering, as a renter would see it: from outside the pod, through the published port, up to the server's banner.
 * A published port accepts connections before anything listens behind it, so only the banner counts.
 */
import { createConnection } from "node:net";

import type { Clock } from "../../common/clock.ts";

export interface SshEndpoint {
  readonly host: string;
  readonly port: number;
}

const ATTEMPT_MS = 2_000;
const FIRST_WAIT_MS = 4;
const LONGEST_WAIT_MS = 500;
const BANNER = /^SSH-2\.0-[\x20-\x7e]{1,250}\r?\n/;
const MAX_BANNER_BYTES = 4_096;

/** Waits for the banner, trying again and again, for at most `deadlineMs`. False when it never came. */
export async function waitForSsh(
  endpoint: SshEndpoint,
  deadlineMs: number,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<boolean> {
  const giveUpAt = clock.monotonic() + deadlineMs;
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 1.5, LONGEST_WAIT_MS)) {
    if (await answersSsh(endpoint, signal)) return true;
    signal.throwIfAborted();
    if (clock.monotonic() + wait >= giveUpAt) return false;
    await clock.sleep(wait, signal);
  }
}

/** One try: whether an SSH server sends its banner within two seconds. */
export function answersSsh({ host, port }: SshEndpoint, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port, signal: AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_MS)]) });
    let received = "";
    const answer = (value: boolean): void => {
      socket.destroy();
      resolve(value);
    };
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      if (BANNER.test(received)) answer(true);
      else if (received.length > MAX_BANNER_BYTES) answer(false);
    });
    socket.on("error", () => answer(false));
    socket.on("close", () => answer(false));
  });
}
