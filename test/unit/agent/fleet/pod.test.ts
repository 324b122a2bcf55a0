/**
 * A wish changes only when something changes, and a pod that is over cannot be brought back.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { changeWanted } from "../../../../agent/fleet/pod.ts";
import type { PodChange } from "../../../../agent/fleet/use-cases.ts";
import { parseSshKey } from "../../../../protocol/ssh-key.ts";
import { podRecord, podStatus } from "../../../support/agent-builders.ts";
import { OTHER_SSH_KEY, podSpec, SSH_KEY, T0, wantedPod } from "../../../support/builders.ts";

const LEASE = { expiresAt: new Date(T0 + 7_200_000).toISOString(), graceSeconds: 60 };
const TERMINATE: PodChange = { do: "terminate", reason: "requested" };
const { fingerprint } = parseSshKey(SSH_KEY);

const CHANGES: readonly PodChange[] = [
  { do: "stop" },
  { do: "start" },
  { do: "restart" },
  TERMINATE,
  { do: "replace-lease", lease: LEASE },
  { do: "add-key", key: OTHER_SSH_KEY },
  { do: "remove-key", fingerprint },
];

describe("a change of a wish", () => {
  it("raises the revision by one, and by nothing when all of it holds already", () => {
    const repeatable = CHANGES.filter((change) => change.do !== "restart");
    const two = podSpec({ sshKeys: [SSH_KEY, OTHER_SSH_KEY] });
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...repeatable), { maxLength: 8 }), (changes) => {
        let pod = podRecord({ wanted: wantedPod({ spec: two }) });
        for (const change of changes) {
          if (pod.wanted.goal === "ended" || (change.do === "remove-key" && pod.wanted.spec.sshKeys.length < 2)) return;
          const once = { ...pod, wanted: changeWanted(pod, change, T0) };

          const twice = changeWanted(once, change, T0);

          expect(once.wanted.revision - pod.wanted.revision).toBe(once.wanted === pod.wanted ? 0 : 1);
          expect(twice).toBe(once.wanted);
          pod = once;
        }
      }),
    );
  });

  it("restarts every time it is asked to", () => {
    const pod = podRecord();

    const once = changeWanted(pod, { do: "restart" }, T0);
    const twice = changeWanted({ ...pod, wanted: once }, { do: "restart" }, T0);

    expect([once.runs, twice.runs]).toEqual([2, 3]);
  });

  it("starts a stopped pod and one whose main process has ended, once for each request", () => {
    const stopped = podRecord({ wanted: wantedPod({ goal: "stopped" }) });
    const exited = podRecord({ status: podStatus("exited") });

    expect(changeWanted(stopped, { do: "start" }, T0)).toMatchObject({ goal: "running", runs: 2 });
    const started = changeWanted(exited, { do: "start" }, T0);
    expect(started).toMatchObject({ goal: "running", runs: 2, revision: 2 });
    expect(changeWanted({ ...exited, wanted: started }, { do: "start" }, T0)).toBe(started);
  });

  it("is refused for a pod that is over or has to end, except for ending it again", () => {
    const ending = podRecord({ wanted: wantedPod({ goal: "ended", endReason: "operator" }) });
    const failed = podRecord({ status: podStatus("failed") });

    for (const pod of [ending, failed]) {
      for (const change of CHANGES.filter((one) => one !== TERMINATE)) {
        expect(() => changeWanted(pod, change, T0)).toThrow(expect.objectContaining({ code: "pod-ended" }));
      }
      expect(changeWanted(pod, TERMINATE, T0)).toBe(pod.wanted);
    }
  });

  it("ends a pod for the reason that is given", () => {
    expect(changeWanted(podRecord(), { do: "terminate", reason: "operator" }, T0)).toMatchObject({
      goal: "ended",
      endReason: "operator",
      revision: 2,
    });
  });

  it("is refused when the lease that it needs has ended", () => {
    const later = T0 + 3_600_000;
    const needing: PodChange[] = [
      { do: "start" },
      { do: "restart" },
      { do: "replace-lease", lease: { ...LEASE, expiresAt: new Date(later).toISOString() } },
    ];

    for (const change of needing) {
      expect(() => changeWanted(podRecord(), change, later)).toThrow(
        expect.objectContaining({ code: "lease-expired" }),
      );
    }
    expect(changeWanted(podRecord(), { do: "replace-lease", lease: LEASE }, later).spec.lease).toEqual(LEASE);
  });

  it("never removes the last key", () => {
    expect(() => changeWanted(podRecord(), { do: "remove-key", fingerprint }, T0)).toThrow(
      expect.objectContaining({ code: "ssh-key-invalid" }),
    );
  });

  it("refuses a key more than a host would take", () => {
    const key = (n: number): string => {
      const blob = Buffer.from(OTHER_SSH_KEY.split(" ")[1] ?? "", "base64");
      blob.writeUInt8(n, blob.length - 1);
      return `ssh-ed25519 ${blob.toString("base64")}`;
    };
    const full = podRecord({
      wanted: wantedPod({ spec: podSpec({ sshKeys: Array.from({ length: 64 }, (_, n) => key(n)) }) }),
    });

    expect(() => changeWanted(full, { do: "add-key", key: key(64) }, T0)).toThrow(
      expect.objectContaining({ code: "invalid-request" }),
    );
  });

  it("knows a key again that comes with a comment", () => {
    const pod = podRecord();

    expect(changeWanted(pod, { do: "add-key", key: `${SSH_KEY} me@home\n` }, T0)).toBe(pod.wanted);
  });
});
