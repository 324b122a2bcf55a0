/**
 * What a lane is made with.
 */
import type { PodEvent, PodStatus } from "../../protocol/pod.ts";
import type { Meter } from "../metering/meter.ts";
import type { Ledger } from "./ledger.ts";
import type { Taken } from "./places.ts";
import type { Pace } from "./plan.ts";
import type { PortRange } from "./ports.ts";
import type { PodRecord } from "./state.ts";
import type { StepDeps } from "./step-deps.ts";

export interface LaneOptions {
  readonly record: PodRecord;
  readonly previousStatus: PodStatus | undefined;
  /** The pod was just accepted: it cannot have a container yet, so the first look is spared. */
  readonly fresh: boolean;
  readonly publicAddress: string;
  readonly ranges: readonly PortRange[];
  readonly pace: Pace;
}

export interface LaneDeps extends StepDeps {
  readonly ledger: Ledger;
  readonly engine: { readonly answering: boolean };
  readonly meter: Pick<Meter, "observe">;
  /** In [0, 1): keeps retries of many pods apart. */
  readonly random: () => number;
  /** Other ports for a record whose ports turned out to be in use, or another network. */
  readonly otherPlace: (record: PodRecord, taken: Taken) => Promise<PodRecord>;
  readonly onStatus: (status: PodStatus, events: readonly PodEvent[]) => void;
}
