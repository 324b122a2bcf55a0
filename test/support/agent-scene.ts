/**
 * What the agent's integration tests have in common: who calls, what they ask for, and hosts that come and come back.
 */
import { expect } from "vitest";

import type { Caller } from "../../agent/fleet/use-cases.ts";
import { Hotkey } from "../../protocol/ids.ts";
import type { PodPhase, PodSpecInput, PodStatus, WantedPod } from "../../protocol/pod.ts";
import type { CreatePod } from "../../protocol/validator-api.ts";
import { hostFacts, OTHER_OWNER, podStatus } from "./agent-builders.ts";
import type { Harness } from "./agent-harness.ts";
import { OWNER, podSpec } from "./builders.ts";
import { FakeExecutor, type Report } from "./fake-executor.ts";

export const owner = Hotkey.parse(OWNER);
export const CALLER: Caller = { kind: "owner", hotkey: owner };
export const STRANGER: Caller = { kind: "owner", hotkey: Hotkey.parse(OTHER_OWNER) };
export const OPERATOR: Caller = { kind: "operator" };
export const NEVER = new AbortController().signal;

export function wish(over: Partial<PodSpecInput> = {}, rest: Omit<CreatePod, "spec"> = {}): CreatePod {
  return { spec: podSpec(over), ...rest };
}

/** A new host that has told what is on it. */
export async function startHost(agent: Harness, pods: readonly Report[] = []): Promise<FakeExecutor> {
  const executor = await FakeExecutor.start(await agent.invitation(), hostFacts(), pods);
  await expect.poll(() => agent.fleet.capacity().offers.length).toBe(1);
  return executor;
}

/** The same host again, as after a restart of the agent or a break of the network. */
export async function restartHost(
  agent: Harness,
  before: FakeExecutor,
  pods: readonly Report[] = [],
): Promise<FakeExecutor> {
  const { url, certificate } = agent;
  const executor = await FakeExecutor.join({ url, fingerprint: certificate.fingerprint, key: before.key });
  executor.tell(pods, true);
  return executor;
}

/** What the host says of a pod. */
export function statusOf(wanted: WantedPod, phase: PodPhase, over: Partial<PodStatus> = {}): PodStatus {
  return podStatus(phase, { podId: wanted.podId, revision: wanted.revision, gpus: wanted.gpus, ...over });
}

export async function collect<T>(items: AsyncIterable<T>, until = Infinity): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) if (all.push(item) >= until) break;
  return all;
}
