/** A host shows a pod once it runs, says why when it does not, and listens to it no longer than that. */
import { describe, expect, it } from "vitest";

import type { PodPhase, PodStatus } from "../../../../../protocol/pod.ts";
import { podStatus } from "../../../../support/agent-builders.ts";
import { podId, SSH_KEY } from "../../../../support/builders.ts";
import { ExaminedHost } from "../../../../support/challenges/examined-host.ts";
import { toldUuid } from "../../../../support/gpus/told.ts";

const TASK = { kind: "pod", image: "debian:12", sshKey: SSH_KEY, openSeconds: 90 };
const SSH = { host: "203.0.113.7", port: 40_022, user: "root", hostKey: "ssh-ed25519 AAAA" } as const;

function running(over: Partial<PodStatus> = {}): PodStatus {
  return podStatus("running", { ssh: SSH, gpus: [toldUuid(1)], ...over });
}

describe("a host that is asked for a pod", () => {
  it("answers when it runs, not before, with how to reach it and its GPUs", async () => {
    const host = new ExaminedHost();
    host.examine(TASK, podId(1));
    const before: PodPhase[] = ["pending", "pulling", "creating", "starting", "unknown", "degraded"];
    for (const phase of before) host.become(podStatus(phase));
    host.become(running({ podId: podId(2) }));
    await host.clock.advance(1);

    expect(host.answers).toEqual([]);
    host.become(running());
    await host.clock.untilSleeping();
    expect(host.answers).toEqual([{ kind: "pod", podId: podId(1), ssh: SSH, gpus: [toldUuid(1)] }]);
  });

  it("answers at once where it runs already", async () => {
    const host = new ExaminedHost();
    host.become(running());

    host.examine(TASK, podId(1));
    await host.clock.untilSleeping();

    expect(host.answers).toHaveLength(1);
  });

  it("stays with it for as long as was asked, and no longer", async () => {
    const host = new ExaminedHost();
    host.become(running());
    const { over } = host.examine(TASK, podId(1));
    await host.clock.untilSleeping();

    await host.clock.advance(89_999);
    expect(host.clock.sleeping).toBe(1);
    await host.clock.advance(1);
    await over;
    expect(host.clock.sleeping).toBe(0);
  });

  it("leaves it at once when the validator has seen enough", async () => {
    const host = new ExaminedHost();
    host.become(running());
    const { over } = host.examine(TASK, podId(1));
    await host.clock.untilSleeping();

    host.validator.abort(new Error("enough"));
    await over;

    expect(host.clock.monotonic()).toBe(0);
  });

  it.each(["failed", "ended", "ending", "exited", "stopping", "stopped"] as const)(
    "fails with the pod's own reason when it is %s",
    async (phase) => {
      const host = new ExaminedHost();
      const { over } = host.examine(TASK, podId(1));
      host.become(podStatus("pulling"));
      host.become(podStatus(phase, { reason: { code: "image-not-found", message: "There is no such image." } }));

      await expect(over).rejects.toMatchObject({
        code: "challenge-failed",
        message: "The pod does not run: There is no such image.",
      });
      expect(host.answers).toEqual([]);
      expect(host.listeners).toBe(0);
    },
  );

  it("fails with the pod's phase where it has no reason, also where it was over before it was asked for", async () => {
    const host = new ExaminedHost();
    host.become(podStatus("ended"));

    await expect(host.examine(TASK, podId(1)).over).rejects.toMatchObject({
      code: "challenge-failed",
      message: "The pod does not run: ended",
    });
  });

  it("fails where the pod runs and cannot be reached", async () => {
    const host = new ExaminedHost();
    host.become(podStatus("running"));

    await expect(host.examine(TASK, podId(1)).over).rejects.toMatchObject({ code: "challenge-failed" });
    expect(host.answers).toEqual([]);
  });

  it("refuses where the agent rented none", async () => {
    await expect(new ExaminedHost().examine(TASK).over).rejects.toMatchObject({ code: "challenge-refused" });
  });

  it("waits no longer than the validator does, and ends with why that gave up", async () => {
    const host = new ExaminedHost();
    const reason = new Error("given up");
    const { over } = host.examine(TASK, podId(1));
    expect(host.listeners).toBe(1);

    host.validator.abort(reason);

    await expect(over).rejects.toBe(reason);
    expect(host.listeners).toBe(0);
  });

  it("does not begin to wait where the validator gave up before", async () => {
    const host = new ExaminedHost();
    const reason = new Error("given up");
    host.validator.abort(reason);
    host.become(running());

    await expect(host.examine(TASK, podId(1)).over).rejects.toBe(reason);
    expect(host.answers).toEqual([]);
    expect(host.listeners).toBe(0);
  });

  it("listens to it no longer once it has run", async () => {
    const host = new ExaminedHost();
    const { over } = host.examine(TASK, podId(1));
    host.become(running());
    await host.clock.untilSleeping();

    expect(host.listeners).toBe(0);
    host.become(podStatus("failed"));
    await host.clock.advance(90_000);
    await expect(over).resolves.toBeUndefined();
  });
});
