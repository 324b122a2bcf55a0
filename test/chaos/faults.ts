/**
 * All faults, by what they hurt. A name is used once.
 */
import type { Fault, FaultGroup } from "../support/arena/fault.ts";
import { containerFaults } from "./faults/containers.ts";
import { engineFaults } from "./faults/engine.ts";
import { executorFaults } from "./faults/executor.ts";

export const GROUPS: readonly FaultGroup[] = [executorFaults, engineFaults, containerFaults];

export const FAULTS: readonly Fault[] = GROUPS.flatMap(({ faults }) => faults);
