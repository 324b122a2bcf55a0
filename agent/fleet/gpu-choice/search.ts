/**
 * The best set of a size: the one with the most links inside, of equals the one that takes the fewest from those that are
 * left, of equals the first. Pure, and bounded: beyond a number of sets it no longer tries them all.
 */
import type { Scores } from "./scores.ts";

export interface Found {
  /** Ascending. */
  readonly members: readonly number[];
  /** The sum of the scores of all pairs inside. */
  readonly inside: number;
  /**
   * The sum of all scores of the members, to each other and to those that are left: of two sets with as much inside, the
   * one with less of it leaves more.
   */
  readonly degree: number;
}

/** Every choice of up to 8 of 16 is among them. */
const MOST_SETS = 20_000;

/** Undefined where there are not as many. */
export function bestSet(scores: Scores, count: number, mostSets: number = MOST_SETS): Found | undefined {
  if (count > scores.length) return undefined;
  return setsOf(scores.length, count) <= mostSets ? triedAll(scores, count) : grown(scores, count);
}

export function isBetter(a: Found, b: Found): boolean {
  return a.inside > b.inside || (a.inside === b.inside && a.degree < b.degree);
}

/** The number of ways to take `count` of `total`. */
function setsOf(total: number, count: number): number {
  const fewer = Math.min(count, total - count);
  return Array.from({ length: fewer }).reduce<number>((ways, _, at) => (ways * (total - at)) / (at + 1), 1);
}

function triedAll(scores: Scores, count: number): Found | undefined {
  const degrees = degreesOf(scores);
  const members: number[] = [];
  let best: Found | undefined;
  const extend = (from: number, inside: number, degree: number): void => {
    if (members.length === count) {
      const found = { members, inside, degree };
      if (best === undefined || isBetter(found, best)) best = { ...found, members: [...members] };
      return;
    }
    for (let next = from; next <= scores.length - (count - members.length); next += 1) {
      const gained = members.reduce((sum, member) => sum + at(scores, member, next), 0);
      members.push(next);
      extend(next + 1, inside + gained, degree + (degrees[next] ?? 0));
      members.pop();
    }
  };
  extend(0, 0, 0);
  return best;
}

/** From each unit as a beginning, the best next one again and again, then exchanges while they help. */
function grown(scores: Scores, count: number): Found | undefined {
  const degrees = degreesOf(scores);
  let best: Found | undefined;
  for (let first = 0; first < scores.length; first += 1) {
    const set = new GrowingSet(scores, degrees);
    set.add(first);
    while (set.size < count) set.add(set.bestToAdd());
    set.exchange();
    const found = set.found();
    if (best === undefined || isBetter(found, best)) best = found;
  }
  return best;
}

class GrowingSet {
  readonly #scores: Scores;
  readonly #degrees: readonly number[];
  readonly #members = new Set<number>();
  /** Of each unit to the members. */
  readonly #gains: number[];

  constructor(scores: Scores, degrees: readonly number[]) {
    this.#scores = scores;
    this.#degrees = degrees;
    this.#gains = scores.map(() => 0);
  }

  get size(): number {
    return this.#members.size;
  }

  add(unit: number): void {
    this.#members.add(unit);
    this.#count(unit, 1);
  }

  bestToAdd(): number {
    return this.#others().reduce((best, unit) => (this.#isBetterGain(unit, best) ? unit : best));
  }

  /** Each exchange makes the set better, so they end; the bound is for the time they take. */
  exchange(): void {
    for (let done = 0; done < this.#scores.length; done += 1) {
      const swap = this.#bestExchange();
      if (swap === undefined) return;
      this.#members.delete(swap.out);
      this.#count(swap.out, -1);
      this.add(swap.in);
    }
  }

  found(): Found {
    const members = [...this.#members].toSorted((a, b) => a - b);
    const sum = (values: readonly number[]): number => members.reduce((all, unit) => all + (values[unit] ?? 0), 0);
    return { members, inside: sum(this.#gains) / 2, degree: sum(this.#degrees) };
  }

  #bestExchange(): { readonly out: number; readonly in: number } | undefined {
    const others = this.#others();
    const none: Found & { swap?: { out: number; in: number } } = { members: [], inside: 0, degree: 0 };
    let best = none;
    for (const out of this.#members) {
      for (const other of others) {
        const inside = this.#gain(other) - at(this.#scores, out, other) - this.#gain(out);
        const change = { members: [], inside, degree: this.#degree(other) - this.#degree(out) };
        if (isBetter(change, best)) best = { ...change, swap: { out, in: other } };
      }
    }
    return best.swap;
  }

  #others(): number[] {
    return [...this.#scores.keys()].filter((unit) => !this.#members.has(unit));
  }

  #isBetterGain(unit: number, than: number): boolean {
    const [gain, other] = [this.#gain(unit), this.#gain(than)];
    return gain > other || (gain === other && this.#degree(unit) < this.#degree(than));
  }

  #count(unit: number, sign: 1 | -1): void {
    for (const other of this.#scores.keys())
      this.#gains[other] = this.#gain(other) + sign * at(this.#scores, unit, other);
  }

  #gain(unit: number): number {
    return this.#gains[unit] ?? 0;
  }

  #degree(unit: number): number {
    return this.#degrees[unit] ?? 0;
  }
}

function degreesOf(scores: Scores): number[] {
  return scores.map((row) => row.reduce((sum, score) => sum + score, 0));
}

function at(scores: Scores, a: number, b: number): number {
  return scores[a]?.[b] ?? 0;
}
