/**
 * `lium-executor status`: what was promised is read from disk, so that it works whether or not the executor runs;
 * what troubles the host is asked of the executor that does.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

import type { Paint } from "../../common/cli/output.ts";
import { type Column, fields, table } from "../../common/cli/table.ts";
import { createHttpClient } from "../../common/http-client.ts";
import { hostApi } from "../../protocol/host-api.ts";
import type { HostState } from "../../protocol/host-api/state.ts";
import type { HostProblem } from "../../protocol/host.ts";
import type { PodPhase } from "../../protocol/pod.ts";
import { controlSocket, type ExecutorConfig } from "../config.ts";
import { loadMembership } from "../link/membership.ts";
import { readLedger } from "../pods/ledger.ts";

const ASK_MS = 2_000;

export interface ExecutorStatus {
  readonly agentUrl: string | undefined;
  readonly running: boolean;
  /** Undefined where no executor runs that could say it. */
  readonly linked: boolean | undefined;
  readonly problems: readonly HostProblem[];
  readonly pods: readonly { readonly podId: string; readonly phase: PodPhase | undefined; readonly image: string }[];
}

export async function readStatus(config: ExecutorConfig): Promise<ExecutorStatus> {
  const membership = await loadMembership(config.stateDir);
  const state = await askState(config);
  return {
    agentUrl: membership?.url,
    running: state !== undefined,
    linked: state?.linked,
    problems: state?.facts.problems ?? [],
    pods: readPods(join(config.stateDir, "ledger.db")),
  };
}

/** Undefined when nobody answers: then what is on disk is all there is to say. */
async function askState(config: ExecutorConfig): Promise<HostState | undefined> {
  const client = createHttpClient(hostApi, { at: { socketPath: controlSocket(config) }, timeoutMs: ASK_MS });
  try {
    return await client.state({});
  } catch {
    return undefined;
  } finally {
    await client.close();
  }
}

function readPods(path: string): ExecutorStatus["pods"] {
  if (!existsSync(path)) return [];
  return readLedger(path).map(({ record, status }) => ({
    podId: record.wanted.podId,
    phase: status?.phase,
    image: record.wanted.spec.image,
  }));
}

export function statusText(status: ExecutorStatus, paint: Paint): string {
  const { agentUrl, running, linked, problems, pods } = status;
  const head = fields(
    [
      ["agent", agentUrl ?? "not joined: run `lium-executor join TOKEN`"],
      ["executor", running ? "running" : "not running: run `lium-executor serve` or start its service"],
      ["link", linked === undefined ? undefined : linked ? "up" : "down"],
      ...problems.map(({ code, message }) => ["problem", `${code}: ${message}`] as const),
    ],
    paint,
  );
  if (pods.length === 0) return head;
  const columns: Column<ExecutorStatus["pods"][number]>[] = [
    { title: "POD", text: ({ podId }) => podId },
    { title: "PHASE", text: ({ phase }) => phase ?? "new" },
    { title: "IMAGE", text: ({ image }) => image },
  ];
  return `${head}\n\n${table(pods, columns, paint)}`;
}
