/**
 * Whose the containers of an engine are that no lane looks after. Pure.
 */
import type { PodId } from "../../protocol/ids.ts";
import { containerName, HOST_LABEL, POD_LABEL, podIdOfName, recordFromLabels } from "../docker/labels.ts";
import type { ListedContainer } from "../docker/runtime.ts";
import type { PodRecord } from "./state.ts";

export interface SortedContainers {
  /** Pods of ours that the ledger lost. */
  readonly lost: readonly PodRecord[];
  /** Pods of other executors on the same engine. */
  readonly others: readonly PodRecord[];
  /** With our label, and no record can be made of them. */
  readonly unreadable: readonly ListedContainer[];
  /** No pods at all. */
  readonly foreign: readonly ListedContainer[];
}

/** `host`: this executor's public key. */
export function sortContainers(
  containers: readonly ListedContainer[],
  { host, isKnown }: { readonly host: string; readonly isKnown: (podId: PodId) => boolean },
): SortedContainers {
  const lost: PodRecord[] = [];
  const others: PodRecord[] = [];
  const unreadable: ListedContainer[] = [];
  const foreign: ListedContainer[] = [];
  for (const container of containers) {
    const podId = podIdOfName(container.name);
    if (podId !== undefined && isKnown(podId)) continue;
    const record = recordFromLabels(container.labels);
    if (!(POD_LABEL in container.labels)) foreign.push(container);
    else if (record === undefined || container.name !== containerName(record.wanted.podId)) unreadable.push(container);
    else if ((container.labels[HOST_LABEL] ?? host) !== host) others.push(record);
    else lost.push({ ...record, rebuilt: true });
  }
  return { lost, others, unreadable, foreign };
}
