/**
 * The table of mounts, from /proc/self/mountinfo. Pure.
 */
import type { HostMount } from "./host-things.ts";

const DEVICE_FIELD = 2;
const PATH_FIELD = 4;

export function parseMounts(text: string): HostMount[] {
  return text.split("\n").flatMap((line) => {
    const fields = line.split(" ");
    const [device, path] = [fields[DEVICE_FIELD], fields[PATH_FIELD]];
    return device === undefined || path === undefined ? [] : [{ device, path: unescaped(path) }];
  });
}

/** The kernel writes blanks, line breaks and backslashes as three octal digits. */
function unescaped(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
