/**
 * What Lium's validators sign, as text: spelled as Python's json.dumps(..., sort_keys=True) spells it, down to the blanks.
 * It is always rebuilt from the values; the bytes of a frame are never what was signed.
 */

export interface SignInPayload {
  readonly validator_hotkey: string;
  readonly miner_hotkey: string;
  /** Unix seconds; the REST twin also sends milliseconds. */
  readonly timestamp: number;
}

export function signInStatement({ miner_hotkey, timestamp, validator_hotkey }: SignInPayload): string {
  const members = Object.entries({ miner_hotkey, timestamp, validator_hotkey });
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`).join(", ")}}`;
}

/** What the later generation signs for a key: its text as sent, and the nonce if there is one. */
export function keyStatement(keyText: string, nonce: string | undefined): string {
  return nonce === undefined ? keyText : `${keyText}\nnonce:${nonce}`;
}

const LAST_SECONDS = 1e12;

/** When a payload says that it was signed, in milliseconds since the epoch. */
export function signedAtMs(timestamp: number): number {
  return timestamp > LAST_SECONDS ? timestamp : timestamp * 1000;
}
