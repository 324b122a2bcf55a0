/** Ends what holds a folder of volumes, so that it can be removed. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";

import { parseMounts } from "../../../executor/storage/mounts.ts";

export async function unmountAll(root: string): Promise<void> {
  const mounts = parseMounts(await readFile("/proc/self/mountinfo", "utf8"));
  for (const { path } of mounts.toReversed()) {
    if (!path.startsWith(`${root}/`)) continue;
    execFileSync("sh", ["-c", 'fsfreeze -u "$1" 2>/dev/null; umount "$1"', "sh", path]);
  }
}

/** The folder itself stays. */
export async function removeVolumes(root: string): Promise<void> {
  if (!existsSync(root)) return;
  await unmountAll(root);
  execFileSync("chattr", ["-R", "-f", "-i", root], { stdio: "ignore" });
}
