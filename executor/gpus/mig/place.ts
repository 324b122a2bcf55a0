/**
 * Where on the grid instances go: never over each other, and so that the largest profiles still fit beside them. Pure.
 */
import { type MigGrid, type MigProfile, profileOf } from "./grid.ts";

export interface Placed {
  readonly profile: string;
  /** The first of its memory slices. */
  readonly start: number;
}

/**
 * Places all of `wanted` beside `kept`. Of all ways the one that leaves room for the largest profile, then for the most of
 * it, then the same for the next; of equals the one that begins latest. Undefined where they do not fit.
 */
export function placeBeside(
  grid: MigGrid,
  kept: readonly Placed[],
  wanted: readonly string[],
): readonly Placed[] | undefined {
  const profiles = wanted.map((name) => profileOf(grid, name));
  if (profiles.includes(undefined) || !fits(grid, kept)) return undefined;
  const ordered = profiles.flatMap((profile) => profile ?? []).toSorted(largestFirst);
  let best: Layout | undefined;
  const place = (placed: readonly Placed[]): void => {
    const [last, next] = [placed.at(-1), ordered[placed.length]];
    if (next === undefined) {
      const layout = { placed, room: roomLeft(grid, [...kept, ...placed]) };
      if (best === undefined || isBetter(layout, best)) best = layout;
      return;
    }
    for (const start of next.starts) {
      if (last?.profile === next.name && start > last.start) continue;
      const one = { profile: next.name, start };
      if (fits(grid, [...kept, ...placed, one])) place([...placed, one]);
    }
  };
  place([]);
  return best?.placed;
}

/** Whether these can all be there at once. */
export function fits(grid: MigGrid, layout: readonly Placed[]): boolean {
  const taken = new Set<number>();
  let compute = 0;
  for (const { profile: name, start } of layout) {
    const profile = profileOf(grid, name);
    if (profile === undefined || !profile.starts.includes(start)) return false;
    for (let slice = start; slice < start + profile.size; slice += 1) {
      if (taken.has(slice)) return false;
      taken.add(slice);
    }
    compute += profile.computeSlices;
    if (layout.filter((other) => other.profile === name).length > profile.most) return false;
  }
  return compute <= grid.computeSlices;
}

interface Layout {
  readonly placed: readonly Placed[];
  /** At how many places each profile still fits, the largest profile first. */
  readonly room: readonly number[];
}

function roomLeft(grid: MigGrid, layout: readonly Placed[]): number[] {
  return grid.profiles
    .toSorted(largestFirst)
    .map(({ name, starts }) => starts.filter((start) => fits(grid, [...layout, { profile: name, start }])).length);
}

function isBetter(one: Layout, other: Layout): boolean {
  const differs = one.room.findIndex((room, at) => room !== other.room[at]);
  if (differs >= 0) return (one.room[differs] ?? 0) > (other.room[differs] ?? 0);
  const sum = ({ placed }: Layout): number => placed.reduce((all, { start }) => all + start, 0);
  return sum(one) > sum(other);
}

function largestFirst(a: MigProfile, b: MigProfile): number {
  return b.computeSlices - a.computeSlices || b.size - a.size || (a.name < b.name ? -1 : 1);
}
