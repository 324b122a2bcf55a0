/**
 * What `nvidia-smi mig` prints, which it prints as tables alone. Lines that are none of what is looked for say nothing. Pure.
 */
import { gridOfProfiles, type MigGrid, type MigProfile } from "./grid.ts";
import type { Instance, MigMode } from "./plan.ts";

const INSTANCE = /^\|\s+\d+\s+MIG (?<profile>\S+)\s+\d+\s+(?<id>\d+)\s+(?<start>\d+):\d+\s+\|/;
const PROFILE = /^\|\s+\d+\s+MIG (?<name>(?<slices>\d+)g\.\S+)\s+(?<id>\d+)\s+\d+\/(?<most>\d+)\s/;
const PLACES = /Profile ID\s+(?<id>\d+)\s+Placements?\s*:\s*\{(?<starts>[\d,\s]+)\}:(?<size>\d+)/;

/** Of `-lgi`. */
export function parseInstances(text: string): Instance[] {
  return matches(text, INSTANCE).map(({ profile = "", id, start }) => ({
    id: Number(id),
    profile,
    start: Number(start),
  }));
}

/** Of `-lgip` and `-lgipp`; undefined where they name none. */
export function parseGrid(profiles: string, placements: string): MigGrid | undefined {
  const places = new Map(matches(placements, PLACES).map((place) => [place["id"], place]));
  const known = matches(profiles, PROFILE).flatMap(({ name = "", slices, id, most }): MigProfile[] => {
    const place = places.get(id);
    if (place === undefined) return [];
    const starts = (place["starts"] ?? "").split(",").map(Number);
    return [
      {
        name,
        computeSlices: Number(slices),
        size: Number(place["size"]),
        starts: starts.toSorted((a, b) => a - b),
        most: Number(most),
      },
    ];
  });
  return known.length === 0 ? undefined : gridOfProfiles(known);
}

/** Of `--query-gpu=mig.mode.current,mig.mode.pending` as CSV. */
export function parseMode(text: string): MigMode {
  const [current, pending] = text.trim().split(/\s*,\s*/);
  if (current !== "Enabled" && current !== "Disabled") return "unsupported";
  if (pending !== current && (pending === "Enabled" || pending === "Disabled")) return "pending";
  return current === "Enabled" ? "on" : "off";
}

function matches(text: string, pattern: RegExp): Readonly<Record<string, string>>[] {
  return text
    .split("\n")
    .map((line) => pattern.exec(line)?.groups)
    .filter((groups) => groups !== undefined);
}
