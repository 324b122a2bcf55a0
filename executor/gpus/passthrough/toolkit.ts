/**
 * The versions of NVIDIA's container toolkit that let a pod out of its container, as data. Its programs run as root of the
 * host on every start of a container with a GPU, so an old one is not run for renters at all. Pure.
 */

interface Flaw {
  readonly name: string;
  readonly what: string;
  readonly fixedIn: string;
}

const FLAWS: readonly Flaw[] = [
  { name: "CVE-2024-0132", what: "an image can mount the host's disk into its container", fixedIn: "1.16.2" },
  { name: "CVE-2025-23359", what: "the correction of CVE-2024-0132 can be got around", fixedIn: "1.17.4" },
  { name: "CVE-2025-23266", what: "an image can run a library of its own as root of the host", fixedIn: "1.17.8" },
];

/** Why programs of this toolkit must not run; undefined where they may. A version that nobody knows is not taken for new. */
export function toolkitLack(version: string | undefined): string | undefined {
  const remedy = `install version ${newestFix()} or newer`;
  if (version === undefined) return `The version of NVIDIA's container toolkit cannot be read: ${remedy}.`;
  const flaw = FLAWS.find(({ fixedIn }) => !isAtLeast(version, fixedIn));
  if (flaw === undefined) return undefined;
  return `NVIDIA's container toolkit ${version} has ${flaw.name} (${flaw.what}): ${remedy}.`;
}

function newestFix(): string {
  return FLAWS.reduce((newest, { fixedIn }) => (isAtLeast(fixedIn, newest) ? fixedIn : newest), "0");
}

/** Compares numbers between dots; `1.17.8-rc.1` comes before `1.17.8`. */
export function isAtLeast(version: string, least: string): boolean {
  const [numbers = "", preview] = version.split(/-|~/);
  const [has, needs] = [numbers.split(".").map(Number), least.split(".").map(Number)];
  for (const index of Array.from({ length: Math.max(has.length, needs.length) }, (_, at) => at)) {
    const difference = (has[index] ?? 0) - (needs[index] ?? 0);
    if (Number.isNaN(difference)) return false;
    if (difference !== 0) return difference > 0;
  }
  return preview === undefined || /^\d+$/.test(preview);
}
