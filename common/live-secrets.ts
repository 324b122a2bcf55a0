/**
 * The secrets that this process holds right now, and the scrubbing of them out of text that leaves it.
 * A secret is found as it is, escaped in JSON (once or twice), percent-encoded, and inside base64 at any offset.
 */

export interface LiveSecrets {
  /**
   * Scrubs this value from now on, until the returned function is called. Held twice, it must be released twice.
   * Values shorter than 8 characters are not scrubbed: they would blot out innocent text.
   */
  add(value: string): () => void;
  /** The text with every live secret replaced. */
  scrub(text: string): string;
}

const SHORTEST = 8;
const REPLACEMENT = "[secret]";

export function createLiveSecrets(): LiveSecrets {
  const holders = new Map<string, number>();
  let spellings: readonly string[] = [];

  function change(value: string, by: 1 | -1): void {
    const count = (holders.get(value) ?? 0) + by;
    if (count > 0) holders.set(value, count);
    else holders.delete(value);
    const all = new Set([...holders.keys()].flatMap(spellingsOf));
    spellings = [...all].toSorted((a, b) => b.length - a.length);
  }

  function add(value: string): () => void {
    if (value.length < SHORTEST) return () => undefined;
    let held = true;
    change(value, 1);
    return () => {
      if (held) change(value, -1);
      held = false;
    };
  }

  function scrub(text: string): string {
    return spellings.reduce((clean, spelling) => clean.replaceAll(spelling, REPLACEMENT), text);
  }

  return { add, scrub };
}

/** How a value may look in text. The lines of a value with several, such as a private key, count one by one too. */
function spellingsOf(value: string): string[] {
  const lines = value.split(/\r?\n/).filter((line) => line.length >= SHORTEST);
  return [value, ...lines].flatMap((part) => [
    part,
    escaped(part),
    escaped(escaped(part)),
    encodeURIComponent(part.toWellFormed()),
    ...[part, escaped(part)].flatMap((text) => [0, 1, 2].flatMap((offset) => insideBase64(text, offset))),
  ]);
}

function escaped(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

/** The base64 characters that depend on the value alone when it starts `offset` bytes into a group of three. */
function insideBase64(value: string, offset: number): string[] {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(value)]);
  const from = Math.ceil((offset * 8) / 6);
  const to = Math.floor((bytes.length * 8) / 6);
  return [bytes.toString("base64").slice(from, to), bytes.toString("base64url").slice(from, to)];
}
