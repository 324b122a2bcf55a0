/**
 * `lium-executor status`: read from disk, so that it works whether or not the executor runs.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

import type { PodPhase } from "../../protocol/pod.ts";
import type { ExecutorConfig } from "../config.ts";
import { loadMembership } from "../link/membership.ts";
import { openLedger } from "../pods/ledger.ts";

export interface ExecutorStatus {
  readonly agentUrl: string | undefined;
  readonly pods: readonly { readonly podId: string; readonly phase: PodPhase | undefined; readonly image: string }[];
}

export async function readStatus({ stateDir }: ExecutorConfig): Promise<ExecutorStatus> {
  const membership = await loadMembership(stateDir);
  return { agentUrl: membership?.url, pods: readPods(join(stateDir, "ledger.db")) };
}

function readPods(path: string): ExecutorStatus["pods"] {
  if (!existsSync(path)) return [];
  const ledger = openLedger(path);
  try {
    return ledger.readAll().entries.map(({ record, status }) => ({
      podId: record.wanted.podId,
      phase: status?.phase,
      image: record.wanted.spec.image,
    }));
  } finally {
    ledger.close();
  }
}

export function statusText({ agentUrl, pods }: ExecutorStatus): string {
  const agent = agentUrl === undefined ? "not joined: run `lium-executor join TOKEN`" : agentUrl;
  return [`agent  ${agent}`, ...pods.map((pod) => `pod    ${pod.podId}  ${pod.phase ?? "new"}  ${pod.image}`)].join(
    "\n",
  );
}
