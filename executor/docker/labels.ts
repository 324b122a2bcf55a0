/**
 * Our memory on the engine's side: every container of ours says which pod it is and holds the pod's whole record,
 * so that a lost ledger can be rebuilt. Sealed values stay sealed in here.
 */
import { PodId } from "../../protocol/ids.ts";
import { PodRecord } from "../pods/state.ts";

export const POD_LABEL = "lium.pod";
/** Which executor made it, by its public key: two of them may share an engine. */
export const HOST_LABEL = "lium.host";
const RECORD_LABEL = "lium.record";
export const VOLUME_LABEL = "lium.volume";

const NAME_PREFIX = "lium-";

/** The name of a pod's container; one pod has one container, so a second cannot be created. */
export function containerName(podId: PodId): string {
  return NAME_PREFIX + podId;
}

/** The pod that a container's name stands for, or undefined when the name is none of ours. */
export function podIdOfName(name: string): PodId | undefined {
  if (!name.startsWith(NAME_PREFIX)) return undefined;
  return PodId.safeParse(name.slice(NAME_PREFIX.length)).data;
}

/** `host`: the executor's public key. */
export function labelsOf(record: PodRecord, host: string): Record<string, string> {
  return { [POD_LABEL]: record.wanted.podId, [HOST_LABEL]: host, [RECORD_LABEL]: JSON.stringify(record) };
}

/** The record that a container of ours carries, or undefined when it cannot be read. */
export function recordFromLabels(labels: Readonly<Record<string, string>>): PodRecord | undefined {
  try {
    const record = PodRecord.parse(JSON.parse(labels[RECORD_LABEL] ?? ""));
    return record.wanted.podId === labels[POD_LABEL] ? record : undefined;
  } catch {
    return undefined;
  }
}
