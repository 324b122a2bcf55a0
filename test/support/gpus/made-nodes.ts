/**
 * Device files that a test makes in a folder of its own, and CDI specifications in the engine's: for GPUs that do not exist,
 * handed over by an engine that does. `remove` takes all of it away again.
 */
import { randomUUID } from "node:crypto";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { exec } from "../../../common/exec.ts";

/** Drivers that every Linux has and that no container may use by itself: each made node is one of these devices. */
const DRIVERS = [
  { major: 10, minor: 229 },
  { major: 10, minor: 234 },
  { major: 10, minor: 237 },
  { major: 10, minor: 235 },
];
/** Unlike any of this machine's own. */
export const NODE_GROUP = 4_321;
const SPECS = "/var/run/cdi";
const MKNOD_MS = 5_000;

export class MadeNodes {
  readonly root = mkdtempSync(join(tmpdir(), "lium-nodes-"));
  readonly #specs: string[] = [];
  #made = 0;

  /** Below /dev of the test's root, usable by one group alone; the path on the host. */
  async node(name: string): Promise<string> {
    const path = join(this.root, "dev", name);
    const driver = DRIVERS[this.#made % DRIVERS.length];
    if (driver === undefined) throw new Error("there are no drivers");
    this.#made += 1;
    mkdirSync(dirname(path), { recursive: true });
    const limits = { signal: AbortSignal.timeout(MKNOD_MS), timeoutMs: MKNOD_MS };
    await exec("mknod", [path, "c", String(driver.major), String(driver.minor)], limits);
    chownSync(path, 0, NODE_GROUP);
    chmodSync(path, 0o660);
    return path;
  }

  /** A file of the engine's folder that names these devices; each by its UUID, with the nodes that are its own. */
  spec(
    devices: readonly { readonly uuid: string; readonly nodes: readonly { path: string; hostPath: string }[] }[],
  ): void {
    mkdirSync(SPECS, { recursive: true });
    const file = join(SPECS, `lium-test-${randomUUID()}.json`);
    this.#specs.push(file);
    const named = devices.map(({ uuid, nodes }) => ({ name: uuid, containerEdits: { deviceNodes: nodes } }));
    writeFileSync(file, JSON.stringify({ cdiVersion: "0.5.0", kind: "nvidia.com/gpu", devices: named }));
  }

  remove(): void {
    for (const file of this.#specs.splice(0)) rmSync(file, { force: true });
    try {
      rmdirSync(SPECS);
    } catch {
      // Somebody else's specifications are in it.
    }
    rmSync(this.root, { recursive: true, force: true });
  }
}
