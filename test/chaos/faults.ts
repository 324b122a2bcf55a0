/**
 * All faults, by what they hurt. A name is used once.
 */
import type { Fault, FaultGroup } from "../support/arena/fault.ts";
import { containerFaults } from "./faults/containers.ts";
import { diskFaults } from "./faults/disk.ts";
import { engineFaults } from "./faults/engine.ts";
import { executorFaults } from "./faults/executor.ts";
import { gpuFaults } from "./faults/gpus.ts";
import { hostFaults } from "./faults/host.ts";
import { imageFaults } from "./faults/images.ts";
import { longFaults } from "./faults/long.ts";
import { networkFaults } from "./faults/network.ts";
import { stateFaults } from "./faults/state.ts";

export const GROUPS: readonly FaultGroup[] = [
  executorFaults,
  engineFaults,
  containerFaults,
  hostFaults,
  networkFaults,
  diskFaults,
  stateFaults,
  imageFaults,
  gpuFaults,
  longFaults,
];

export const FAULTS: readonly Fault[] = GROUPS.flatMap(({ faults }) => faults);
