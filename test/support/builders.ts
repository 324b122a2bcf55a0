/**
 * Valid words for tests, each with what the test cares about laid over it.
 */
import type { SeenContainer } from "../../executor/docker/runtime.ts";
import { PodRecord } from "../../executor/pods/state.ts";
import { PodId } from "../../protocol/ids.ts";
import { type PodSpecInput, PodSpec, WantedPod } from "../../protocol/pod.ts";

export const OWNER = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
export const SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
export const OTHER_SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA";
/** A moment in every test's past; leases end an hour after it unless a test says otherwise. */
export const T0 = Date.parse("2026-01-01T00:00:00.000Z");

/** The n-th pod id. */
export function podId(n: number): PodId {
  return PodId.parse(`0198f000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`);
}

export function podSpec(over: Partial<PodSpecInput> = {}): PodSpec {
  return PodSpec.parse({
    image: "debian:12",
    sshKeys: [SSH_KEY],
    lease: { expiresAt: new Date(T0 + 3_600_000).toISOString(), graceSeconds: 600 },
    ...over,
  });
}

export function wantedPod(over: Partial<Omit<WantedPod, "podId">> & { podId?: PodId } = {}): WantedPod {
  return WantedPod.parse({
    podId: podId(1),
    owner: OWNER,
    revision: 1,
    goal: "running",
    runs: 1,
    gpus: [],
    spec: podSpec(),
    ...over,
  });
}

export function podRecord(over: Partial<PodRecord> = {}): PodRecord {
  return PodRecord.parse({ wanted: wantedPod(), acceptedAtMs: T0, ports: [], timeline: {}, ...over });
}

export function seenContainer(over: Partial<SeenContainer> = {}): SeenContainer {
  return {
    id: "c1",
    name: `lium-${podId(1)}`,
    state: "running",
    labels: {},
    startedAtMs: T0 + 1_000,
    finishedAtMs: undefined,
    exitCode: 0,
    oomKilled: false,
    ...over,
  };
}
