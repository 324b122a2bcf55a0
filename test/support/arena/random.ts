/**
 * Choices that look random and are the same for the same seed, so that a run that failed can be run again.
 */
import { createHash } from "node:crypto";

export interface Random {
  /** In [0, 1). */
  next(): number;
  /** A whole number from `low` up to and including `high`. */
  int(low: number, high: number): number;
  pick<T>(choices: readonly T[]): T;
}

/** `name` keeps the choices of one fault apart from those of the others, so that a fault can be run alone. */
export function seededRandom(seed: string, name: string): Random {
  let state = createHash("sha256").update(`${seed}/${name}`).digest().readUInt32BE();
  // xorshift32: short, and good enough to choose moments.
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return {
    next,
    int: (low, high) => low + Math.floor(next() * (high - low + 1)),
    pick: <T>(choices: readonly T[]): T => {
      const choice = choices[Math.floor(next() * choices.length)];
      if (choice === undefined) throw new Error("there is nothing to pick from");
      return choice;
    },
  };
}
