/**
 * Which images may go, and which go now. Pure. Only what we brought here goes, least recently used first, and never what a
 * container is made of, what the operator pinned, what is being pulled or what was used a moment ago.
 */
export interface Fill {
  readonly used: number;
  readonly total: number;
}

/** How full a file system is. */
export interface DiskUsage {
  readonly bytes: Fill;
  /** Undefined where the file system does not count them. */
  readonly inodes: Fill | undefined;
}

/** In percent. */
export interface Marks {
  readonly high: number;
  readonly low: number;
  readonly refuse: number;
}

export interface Thresholds {
  readonly bytes: Marks;
  readonly inodes: Marks;
}

export interface HeldImage {
  readonly id: string;
  /** Tags and digests, as the engine files them. */
  readonly names: readonly string[];
  readonly sizeBytes: number;
  readonly lastUsedAtMs: number;
  /** We pulled it, and every tag that it has. */
  readonly ours: boolean;
}

export interface GcInput {
  readonly images: readonly HeldImage[];
  /** Ids. */
  readonly inUse: ReadonlySet<string>;
  /** Names. */
  readonly pinned: ReadonlySet<string>;
  readonly pulling: ReadonlySet<string>;
  readonly usage: DiskUsage;
  readonly thresholds: Thresholds;
  readonly minAgeMs: number;
  /** Whether images may go that others brought here. */
  readonly foreign: boolean;
  readonly nowMs: number;
}

/** Why an image stays, or that it may go. */
export type Standing = "in-use" | "pinned" | "pulling" | "foreign" | "young" | "removable";

export function standingOf(image: HeldImage, input: Omit<GcInput, "images" | "usage" | "thresholds">): Standing {
  if (input.inUse.has(image.id)) return "in-use";
  if (image.names.some((name) => input.pinned.has(name))) return "pinned";
  if (image.names.some((name) => input.pulling.has(name))) return "pulling";
  if (!image.ours && !input.foreign) return "foreign";
  // A use that lies ahead was noted before the clock was set back.
  return input.nowMs - image.lastUsedAtMs < input.minAgeMs ? "young" : "removable";
}

/** Whether bytes or inodes are beyond a mark. */
export function isAbove(usage: DiskUsage, mark: keyof Marks, thresholds: Thresholds): boolean {
  const inodes = usage.inodes !== undefined && percentOf(usage.inodes) > thresholds.inodes[mark];
  return inodes || percentOf(usage.bytes) > thresholds.bytes[mark];
}

export function percentOf({ used, total }: Fill): number {
  return total === 0 ? 0 : (used * 100) / total;
}

/** All that may go, in the order in which it goes. */
export function removable(input: GcInput): HeldImage[] {
  return input.images
    .filter((image) => standingOf(image, input) === "removable")
    .toSorted((a, b) => a.lastUsedAtMs - b.lastUsedAtMs);
}

/**
 * What goes now: nothing up to the high mark, beyond it as much as is needed to come down to the low mark. An estimate,
 * because nobody knows what layers that images share will free; the collector measures after each removal.
 */
export function decide(input: GcInput): HeldImage[] {
  const { usage, thresholds } = input;
  if (!isAbove(usage, "high", thresholds)) return [];
  const going: HeldImage[] = [];
  let left = usage;
  for (const image of removable(input)) {
    if (!isAbove(left, "low", thresholds)) break;
    going.push(image);
    left = without(left, image.sizeBytes);
  }
  return going;
}

/** An image's share of the inodes is taken to be its share of the bytes. */
function without({ bytes, inodes }: DiskUsage, sizeBytes: number): DiskUsage {
  const share = bytes.used === 0 ? 0 : Math.min(1, sizeBytes / bytes.used);
  const rest = (fill: Fill): Fill => ({ ...fill, used: fill.used * (1 - share) });
  return { bytes: rest(bytes), inodes: inodes === undefined ? undefined : rest(inodes) };
}
