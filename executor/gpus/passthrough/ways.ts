/**
 * How accelerators get into the containers of each runtime, as data by the runtime's usual name. Pure.
 */
export type NvidiaWay = "cdi" | "hook";

export interface Ways {
  /** The one that is preferred first. */
  readonly nvidia: readonly NvidiaWay[];
  /** Whether device files that the engine is told of can be used inside. */
  readonly nodes: boolean;
  /** Why there is none. */
  readonly why?: string;
}

const WHOLE: Ways = { nvidia: ["cdi", "hook"], nodes: true };

const WAYS: Readonly<Record<string, Ways>> = {
  runc: WHOLE,
  crun: WHOLE,
  // Files of the host belong to nobody inside: its users are others.
  "sysbox-runc": { nvidia: ["hook"], nodes: false },
  runsc: { nvidia: ["hook"], nodes: false },
  "kata-runtime": { nvidia: [], nodes: false, why: "its pods are virtual machines, which take whole devices by VFIO" },
  ...Object.fromEntries(
    ["nvidia", "nvidia-cdi", "nvidia-legacy", "amd", "habana"].map((name): [string, Ways] => [
      name,
      { nvidia: [], nodes: false, why: "in it images choose devices themselves; set `isolation.runtime` to runc" },
    ]),
  ),
};

/** A runtime of another name is taken for runc with something in front. */
export function waysOf(runtime: string): Ways {
  return WAYS[runtime] ?? WHOLE;
}

/** From here on engines answer requests for NVIDIA's hook by CDI first, where CDI is on. */
export const HOOK_ANSWERED_BY_CDI_FROM = "29.2";
