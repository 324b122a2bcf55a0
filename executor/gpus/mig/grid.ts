/**
 * What a GPU can be cut into with MIG: each profile takes a run of memory slices, and begins at a few of them only.
 * The tables are for GPUs that cannot be asked yet; the driver of a GPU in MIG mode is, and its word counts. Pure.
 */
export interface MigProfile {
  /** As nvidia-smi calls it, such as `3g.40gb` or `1g.10gb+me`. */
  readonly name: string;
  readonly computeSlices: number;
  /** How many memory slices it takes. */
  readonly size: number;
  /** The memory slices that it may begin at, ascending. */
  readonly starts: readonly number[];
  /** How many of it there may be. */
  readonly most: number;
}

export interface MigGrid {
  readonly computeSlices: number;
  readonly profiles: readonly MigProfile[];
}

export function profileOf(grid: MigGrid, name: string): MigProfile | undefined {
  return grid.profiles.find((profile) => profile.name === name);
}

/** From the profiles that the driver lists. */
export function gridOfProfiles(profiles: readonly MigProfile[]): MigGrid {
  return { computeSlices: Math.max(0, ...profiles.map(({ computeSlices }) => computeSlices)), profiles };
}

type Shape = Omit<MigProfile, "name">;

const SEVEN: readonly Shape[] = [
  { computeSlices: 1, size: 1, starts: [0, 1, 2, 3, 4, 5, 6], most: 7 },
  { computeSlices: 1, size: 2, starts: [0, 2, 4, 6], most: 4 },
  { computeSlices: 2, size: 2, starts: [0, 2, 4], most: 3 },
  { computeSlices: 3, size: 4, starts: [0, 4], most: 2 },
  { computeSlices: 4, size: 4, starts: [0], most: 1 },
  { computeSlices: 7, size: 8, starts: [0], most: 1 },
];

const FOUR: readonly Shape[] = [
  { computeSlices: 1, size: 1, starts: [0, 1, 2, 3], most: 4 },
  { computeSlices: 2, size: 2, starts: [0, 2], most: 2 },
  { computeSlices: 4, size: 4, starts: [0], most: 1 },
];

interface Model {
  readonly name: RegExp;
  /** The memory of each shape as its profile's name has it; the last is the whole device's. */
  readonly gigabytes: readonly number[];
  readonly shapes: readonly Shape[];
}

const MODELS: readonly Model[] = [
  { name: /\bA30\b/, gigabytes: [6, 12, 24], shapes: FOUR },
  { name: /\bA100\b/, gigabytes: [5, 10, 10, 20, 20, 40], shapes: SEVEN },
  { name: /\b[AH]100\b/, gigabytes: [10, 20, 20, 40, 40, 80], shapes: SEVEN },
  { name: /\bH100\b/, gigabytes: [12, 24, 24, 47, 47, 94], shapes: SEVEN },
  { name: /\b(?:H100|GH200)\b/, gigabytes: [12, 24, 24, 48, 48, 96], shapes: SEVEN },
  { name: /\bH200\b/, gigabytes: [18, 35, 35, 71, 71, 141], shapes: SEVEN },
  { name: /\bB200\b/, gigabytes: [23, 45, 45, 90, 90, 180], shapes: SEVEN },
];

const GIB = 2 ** 30;

/** The table for a model with this much memory, whose drivers say a little more or less of it; undefined for any other. */
export function gridOfModel(model: string, memoryBytes: number): MigGrid | undefined {
  const missBy = ({ gigabytes }: Model): number => Math.abs((gigabytes.at(-1) ?? 0) - memoryBytes / GIB);
  const [nearest] = MODELS.filter(({ name }) => name.test(model)).toSorted((a, b) => missBy(a) - missBy(b));
  if (nearest === undefined || missBy(nearest) > memoryBytes / GIB / 20) return undefined;
  const { shapes, gigabytes } = nearest;
  return gridOfProfiles(
    shapes.flatMap((shape, at) => {
      const name = `${shape.computeSlices}g.${gigabytes[at]}gb`;
      const withMedia = { ...shape, name: `${name}+me`, most: 1 };
      return shape.size === 1 ? [{ ...shape, name }, withMedia] : [{ ...shape, name }];
    }),
  );
}
