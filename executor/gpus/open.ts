/**
 * Builds the inventory that the configuration asks for: of this machine, or one that is made up.
 */
import { dirname, isAbsolute } from "node:path";

import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import type { Accelerators } from "../../protocol/accelerator.ts";
import { AMD_SMI, ROCM_SMI } from "./amd/tools.ts";
import { DoomedChildren } from "./children/doomed.ts";
import { linuxGroups, type ProcessGroups } from "./children/groups.ts";
import type { GpusConfig } from "./config.ts";
import { HL_SMI, XPU_SMI } from "./intel/tools.ts";
import type { GpuInventory } from "./inventory.ts";
import { LiveInventory } from "./live.ts";
import { NodeSmiSource } from "./nvidia/node-smi/source.ts";
import { NVML_LIBRARIES } from "./nvidia/nvml/libraries.ts";
import { NvmlSource } from "./nvidia/nvml/source.ts";
import type { NvmlEvent } from "./nvidia/nvml/words.ts";
import { NvidiaSmiSource } from "./nvidia/smi/source.ts";
import { NvidiaSource } from "./nvidia/source.ts";
import { simulatedGpus } from "./simulated.ts";
import { SysfsSource } from "./sysfs/source.ts";
import { firstOf, type ToolDialect, ToolSource } from "./tool-source.ts";

export interface OpenOptions extends GpusConfig {
  /** Keeps the UUIDs of simulated GPUs of two hosts apart. */
  readonly seed: string;
  /** Of sysfs and procfs; `/` when left out. */
  readonly root?: string;
  /** Files of the other vendors' tools, by their names; looked for on the usual path when left out. */
  readonly tools?: Readonly<Record<string, string>>;
  /** Further environment of the children that read NVIDIA's devices. */
  readonly nvidiaEnv?: Readonly<Record<string, string>>;
}

export interface OpenParts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly groups?: ProcessGroups;
}

export interface OpenInventory extends GpuInventory {
  /** What a driver tells of its own accord, until the returned function is called. */
  onEvent(listener: (event: NvmlEvent) => void): () => void;
  start(): Promise<void>;
  /** Without a start: one whole look, in which those of `before` that are gone are kept. */
  lookWhole(before?: Accelerators): Promise<Accelerators>;
  close(): Promise<void>;
}

/** A start of the executor waits no longer than this for a driver. */
const FIRST_LOOK_MS = 5_000;
const USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Not yet started. Throws `config-invalid` for GPUs to simulate that are not known. */
export function openInventory(options: OpenOptions, parts: OpenParts): OpenInventory {
  if (options.simulate.trim() !== "") return simulatedGpus(options.simulate, options.seed, parts.clock);
  return openLive(options, parts);
}

/** The accelerators of this machine, whatever is to be simulated. */
export function openLive(options: OpenOptions, parts: OpenParts): LiveInventory {
  const { clock, log, random, groups = linuxGroups() } = parts;
  // Of each driver's children on its own: one that NVIDIA's holds says nothing of AMD's.
  const children = () => ({ doomed: new DoomedChildren({ groups, clock }), clock, random });
  const tool = (name: string, dialect: ToolDialect): ToolSource =>
    new ToolSource({ name, file: options.tools?.[name] ?? name, dialect }, children());
  const { nvidiaSmi, nvmlLibrary, nvidiaEnv = {}, root = "/" } = options;
  const nvidia = children();
  const nvml = new NvmlSource(
    { libraries: nvmlLibrary === undefined ? NVML_LIBRARIES : [nvmlLibrary], env: nvidiaEnv },
    nvidia,
  );
  const path = isAbsolute(nvidiaSmi) ? `${dirname(nvidiaSmi)}:${USUAL_PATH}` : USUAL_PATH;
  return new LiveInventory(
    { quickMs: options.quickSeconds * 1000, fullMs: options.fullSeconds * 1000, firstLookMs: FIRST_LOOK_MS },
    {
      sysfs: new SysfsSource(root, children()),
      nvidia: new NvidiaSource(nvml, [
        new NvidiaSmiSource({ file: nvidiaSmi, env: { ...nvidiaEnv, PATH: path, LC_ALL: "C" } }, nvidia),
        new NodeSmiSource({ path, env: nvidiaEnv }, nvidia),
      ]),
      events: nvml,
      supplements: [
        { vendor: "amd", source: firstOf([tool("amd-smi", AMD_SMI), tool("rocm-smi", ROCM_SMI)]) },
        { vendor: "intel", source: firstOf([tool("xpu-smi", XPU_SMI), tool("hl-smi", HL_SMI)]) },
      ],
      clock,
      log,
    },
  );
}
