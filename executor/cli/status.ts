/**
 * `lium-executor status`: read from disk, so that it works whether or not the executor runs.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

import type { Paint } from "../../common/cli/output.ts";
import { type Column, fields, table } from "../../common/cli/table.ts";
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

export function statusText({ agentUrl, pods }: ExecutorStatus, paint: Paint): string {
  const agent = fields([["agent", agentUrl ?? "not joined: run `lium-executor join TOKEN`"]], paint);
  if (pods.length === 0) return agent;
  const columns: Column<ExecutorStatus["pods"][number]>[] = [
    { title: "POD", text: ({ podId }) => podId },
    { title: "PHASE", text: ({ phase }) => phase ?? "new" },
    { title: "IMAGE", text: ({ image }) => image },
  ];
  return `${agent}\n\n${table(pods, columns, paint)}`;
}
