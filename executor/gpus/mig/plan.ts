/**
 * From how a GPU is cut to how it is to be cut. What is in use is never touched: the whole GPU must be idle. Pure.
 */
import type { MigGrid } from "./grid.ts";
import { fits, placeBeside, type Placed } from "./place.ts";

export interface Instance extends Placed {
  /** The driver's; unique on its GPU while it exists. */
  readonly id: number;
}

/** `pending`: on or off only after a reset of the GPU. */
export type MigMode = "on" | "off" | "pending" | "unsupported";

export interface Geometry {
  readonly mode: MigMode;
  /** Undefined where nothing is known of the model, which then has to be in MIG mode to be asked. */
  readonly grid: MigGrid | undefined;
  readonly present: readonly Instance[];
  /** Names of profiles, in any order. */
  readonly wanted: readonly string[];
  /** How it was cut when it last was as wanted: a program may know an instance by its place. */
  readonly before: readonly Placed[] | undefined;
  /** Who uses the GPU or a part of it, in words; nobody where it is idle. */
  readonly users: readonly string[];
}

export type GeometryPlan =
  | { readonly kind: "done" }
  | { readonly kind: "impossible" | "in-use" | "reset-required"; readonly why: string }
  /** Then to be planned again, because only now it can be asked what it can be cut into. */
  | { readonly kind: "enable" }
  | { readonly kind: "cut"; readonly destroy: readonly number[]; readonly create: readonly Placed[] };

export function planGeometry({ mode, grid, present, wanted, before, users }: Geometry): GeometryPlan {
  if (mode === "unsupported") return { kind: "impossible", why: "The GPU cannot be cut." };
  if (mode === "on" && sameProfiles(present, wanted)) return { kind: "done" };
  if (grid !== undefined && placeBeside(grid, [], wanted) === undefined) {
    const known = grid.profiles.map(({ name }) => name).join(", ");
    return { kind: "impossible", why: `${wanted.join(", ")} do not fit on it together; it has ${known}.` };
  }
  if (mode === "pending")
    return { kind: "reset-required", why: "Its MIG mode changes with the next reset of the GPU." };
  if (users.length > 0) return { kind: "in-use", why: `It is in use: ${users.join(", ")}.` };
  if (mode === "off") return { kind: "enable" };
  if (grid === undefined) return { kind: "impossible", why: "The driver does not say what it can be cut into." };
  return cut({ grid, present, wanted, before });
}

function cut({ grid, present, wanted, before }: Pick<Geometry, "present" | "wanted" | "before"> & { grid: MigGrid }) {
  const remembered = before !== undefined && sameProfiles(before, wanted) && fits(grid, before) ? before : undefined;
  const kept = remembered === undefined ? keptOf(present, wanted) : present.filter((one) => hasPlace(remembered, one));
  const missing = remembered?.filter((one) => !hasPlace(kept, one)) ?? placeBeside(grid, kept, lacking(kept, wanted));
  if (missing === undefined) return change(present, [], placeBeside(grid, [], wanted) ?? []);
  return change(present, kept, missing);
}

function change(present: readonly Instance[], kept: readonly Instance[], create: readonly Placed[]): GeometryPlan {
  return { kind: "cut", destroy: present.filter((one) => !kept.includes(one)).map(({ id }) => id), create };
}

function hasPlace(layout: readonly Placed[], { profile, start }: Placed): boolean {
  return layout.some((one) => one.profile === profile && one.start === start);
}

/** Of each profile as many as are wanted. */
function keptOf(present: readonly Instance[], wanted: readonly string[]): Instance[] {
  const left = [...wanted];
  return present.filter(({ profile }) => {
    const at = left.indexOf(profile);
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}

function lacking(kept: readonly Placed[], wanted: readonly string[]): string[] {
  const have = kept.map(({ profile }) => profile);
  return wanted.filter((name) => {
    const at = have.indexOf(name);
    if (at >= 0) have.splice(at, 1);
    return at < 0;
  });
}

function sameProfiles(layout: readonly Placed[], wanted: readonly string[]): boolean {
  const have = layout.map(({ profile }) => profile).toSorted();
  return have.join() === wanted.toSorted().join();
}
