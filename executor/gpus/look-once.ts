/**
 * One picture and no more: of this machine, of a copy of another host's files, of captures of its tools.
 */
import type { Accelerators } from "../../protocol/accelerator.ts";
import { DoomedChildren } from "./children/doomed.ts";
import { linuxGroups } from "./children/groups.ts";
import { compose } from "./compose.ts";
import type { GpusConfig } from "./config.ts";
import { openInventory, type OpenParts } from "./open.ts";
import { type CapturedFile, replay } from "./replay/replay.ts";
import { SysfsSource } from "./sysfs/source.ts";

export interface OneLook {
  readonly config: GpusConfig;
  /** Of GPUs that are simulated. */
  readonly seed: string;
  /** Another than this machine's: then no driver is asked, since it would speak of this machine. */
  readonly root?: string | undefined;
  readonly captures: readonly CapturedFile[];
  /** The picture before, whose devices that are gone stay in this one. */
  readonly last?: Accelerators | undefined;
}

/** Throws `invalid-request` for a capture that is none, `config-invalid` for GPUs to simulate that are not known. */
export async function lookOnce(
  { config, seed, root, captures, last }: OneLook,
  parts: OpenParts,
): Promise<Accelerators> {
  const at = new Date(parts.clock.now()).toISOString();
  if (root === undefined && captures.length > 0) return replay(captures, at);
  if (root !== undefined) {
    const { clock, random } = parts;
    const source = new SysfsSource(root, {
      doomed: new DoomedChildren({ groups: linuxGroups(), clock }),
      clock,
      random,
    });
    try {
      const sysfs = await source.read(new AbortController().signal);
      return captures.length > 0
        ? replay(captures, at, sysfs)
        : compose({ at, sysfs, nvidia: undefined, supplements: [], last });
    } finally {
      await source.close();
    }
  }
  const inventory = openInventory({ ...config, seed }, parts);
  try {
    return await inventory.lookWhole(last);
  } finally {
    await inventory.close();
  }
}
