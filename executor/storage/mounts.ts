/**
 * The table of mounts with their options, from /proc/self/mountinfo. Pure.
 */

export interface Mount {
  readonly path: string;
  /** Of the device, as `major:minor`. */
  readonly device: string;
  /** Such as `ext4`. */
  readonly type: string;
  /** Of this mount and of its file system, such as `rw`, `nodev` and `prjquota`. */
  readonly options: readonly string[];
}

const DEVICE_FIELD = 2;
const PATH_FIELD = 4;
const OPTIONS_FIELD = 5;

/** In the order of mounting; a line that cannot be read is left out. */
export function parseMounts(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [own = "", rest = ""] = line.split(" - ", 2);
    const fields = own.split(" ");
    const [type, , superOptions = ""] = rest.split(" ");
    const [device, path, options] = [fields[DEVICE_FIELD], fields[PATH_FIELD], fields[OPTIONS_FIELD]];
    if (device === undefined || path === undefined || options === undefined || !type) return [];
    return [{ device, path: unescaped(path), type, options: [...options.split(","), ...superOptions.split(",")] }];
  });
}

/** The mount that a path lies on; of several on one place the last, which hides the others. */
export function mountOver(path: string, mounts: readonly Mount[]): Mount | undefined {
  return mounts
    .filter((mount) => mount.path === "/" || path === mount.path || path.startsWith(`${mount.path}/`))
    .reduce<Mount | undefined>(
      (best, mount) => (best === undefined || mount.path.length >= best.path.length ? mount : best),
      undefined,
    );
}

/** The mount at exactly this path. */
export function mountAt(path: string, mounts: readonly Mount[]): Mount | undefined {
  return mounts.findLast((mount) => mount.path === path);
}

/** The kernel writes blanks, line breaks and backslashes as three octal digits. */
function unescaped(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
