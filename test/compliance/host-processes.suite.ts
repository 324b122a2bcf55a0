/**
 * What every HostProcesses must do. The fake passes it in the unit tests, this machine's /proc in the e2e tests.
 */
import { beforeEach, describe, expect, it } from "vitest";

import type { HostProcesses } from "../../executor/host/processes/host-processes.ts";

export interface ProcessesUnderTest extends AsyncDisposable {
  readonly processes: HostProcesses;
  /** The ids of two containers that run, each with a shim. */
  readonly containers: readonly [string, string];
  /** A port that somebody listens on, and one that is free. */
  readonly heldPort: number;
  readonly freePort: number;
}

export function hostProcessesCompliance(subject: () => Promise<ProcessesUnderTest>): void {
  describe("the processes of a host", () => {
    let signal = AbortSignal.timeout(60_000);
    beforeEach(() => {
      signal = AbortSignal.timeout(60_000);
    });

    it("shows a container's members and its shim", async () => {
      await using under = await subject();

      const { members, shims } = await under.processes.ofContainer(under.containers[0], signal);

      expect(members.length).toBeGreaterThan(0);
      expect(shims).toHaveLength(1);
    });

    it("has none for a container that is none", async () => {
      await using under = await subject();

      expect(await under.processes.ofContainer("0".repeat(64), signal)).toEqual({ members: [], shims: [] });
    });

    it("kills the members of one container and nothing of another", async () => {
      await using under = await subject();
      const [a, b] = under.containers;
      const { processes } = under;
      const before = await processes.ofContainer(b, signal);

      let left = await processes.ofContainer(a, signal);
      for (; left.members.length > 0; left = await processes.ofContainer(a, signal)) processes.kill(a, left.members);

      expect(await processes.ofContainer(b, signal)).toEqual(before);
    });

    it("kills nobody in the name of another container, and nobody who began at another time", async () => {
      await using under = await subject();
      const [a, b] = under.containers;
      const before = await under.processes.ofContainer(a, signal);

      under.processes.kill(b, before.members);
      under.processes.kill(
        a,
        before.members.map((process) => ({ ...process, startTicks: process.startTicks + 1 })),
      );

      expect(await under.processes.ofContainer(a, signal)).toEqual(before);
    });

    it("names the holder of a port, and nobody for a free one", async () => {
      await using under = await subject();
      const tcp = { protocol: "tcp" } as const;
      const held = { hostPort: under.heldPort, ...tcp };

      const holders = await under.processes.holdersOf([held, { hostPort: under.freePort, ...tcp }], signal);

      expect(holders).toEqual([{ ...held, pid: expect.any(Number), command: expect.stringMatching(/./) }]);
    });
  });
}
