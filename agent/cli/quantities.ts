/**
 * Sizes and durations as people write and read them. Bytes and milliseconds inside; pure.
 */

const SIZES = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
} as const;
const SIZE_UNITS = new Map<string, number>(Object.entries(SIZES));
const BINARY_UNITS = ["TiB", "GiB", "MiB", "KiB"] as const;

const DURATIONS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 } as const;
const DURATION_UNITS = Object.entries(DURATIONS);

/** Whole bytes of `4GiB`, `1.5 GB` or `1024`; undefined for anything else. A bare K, M or G is refused: it means two things. */
export function parseSize(text: string): number | undefined {
  const [, digits, unit] = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text) ?? [];
  const factor = SIZE_UNITS.get(unit === "" ? "B" : (unit ?? ""));
  if (digits === undefined || factor === undefined) return undefined;
  const bytes = Math.round(Number(digits) * factor);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `4 GiB`, `1.5 GiB`, `300 MiB`: at most one decimal. */
export function formatSize(bytes: number): string {
  const unit = BINARY_UNITS.find((one) => bytes >= SIZES[one]) ?? "B";
  return `${Number((bytes / SIZES[unit]).toFixed(1))} ${unit}`;
}

/** Milliseconds of `90s`, `5m`, `1h30m` or `2d`, the units from large to small; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const parts = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text);
  if (parts === null || text === "") return undefined;
  const ms = DURATION_UNITS.reduce((sum, [, unitMs], index) => sum + Number(parts[index + 1] ?? 0) * unitMs, 0);
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/** The largest unit that fits, rounded down: `59s`, `3m`, `2h`, `4d`. */
export function formatDuration(ms: number): string {
  const [unit, unitMs] = DURATION_UNITS.find(([, one]) => ms >= one) ?? ["s", DURATIONS.s];
  return `${Math.floor(Math.max(0, ms) / unitMs)}${unit}`;
}
