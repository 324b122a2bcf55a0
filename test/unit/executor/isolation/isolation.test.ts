/** How often isolation is verified, and what a failure is taken for. The protections themselves are tested with a real engine. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { toEngineInfo } from "../../../../executor/docker/engine-info.ts";
import { capabilityMask } from "../../../../executor/docker/hardening.ts";
import { IsolationConfig } from "../../../../executor/isolation/config.ts";
import { createIsolation, type Isolation } from "../../../../executor/isolation/isolation.ts";
import { AppError } from "../../../../protocol/errors.ts";
import { FakeNetworks } from "../../../support/fake-networks.ts";
import { loggerToMemory } from "../../../support/memory-log.ts";

const SOUND = {
  Runtimes: { runc: {} },
  DefaultRuntime: "runc",
  SecurityOptions: ["name=seccomp,profile=builtin"],
  MemoryLimit: true,
  CpuCfsQuota: true,
  PidsLimit: true,
};
const STATUS = `CapEff:\t${capabilityMask()}\nCapBnd:\t${capabilityMask()}\nNoNewPrivs:\t1\nSeccomp:\t2`;
const signal = new AbortController().signal;

describe("isolation", () => {
  let dir: string;
  let nowMs: number;
  let engine: Record<string, unknown>;
  let status: string;
  let down: boolean;
  let limitsTooLow: boolean;
  let containers: string[];
  let isolation: Isolation;

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "lium-isolation-"));
    [nowMs, engine, status, down, containers, limitsTooLow] = [0, SOUND, STATUS, false, [], false];
    // It notes what it is asked, and knows one listing.
    const nft = join(dir, "nft");
    writeFileSync(nft, `#!/bin/sh\necho "$1" >>${dir}/calls\ncat >/dev/null\necho '{"nftables":[]}'\n`, {
      mode: 0o755,
    });
    isolation = await createIsolation({
      config: IsolationConfig.parse({}),
      hostId: "host",
      kitDir: "/kit",
      networks: new FakeNetworks(),
      emptyImage: async () => "lium/empty:1",
      clock: { now: () => nowMs, monotonic: () => nowMs, sleep: async () => undefined },
      log: loggerToMemory().log,
      nft,
      readHostNetwork: async () => ({ routes: [], interfaces: new Set(), nameServers: [] }),
      raiseSharedLimits: async () => {
        if (limitsTooLow) throw new AppError("isolation-unavailable", { details: { protection: "shared limits" } });
        return [];
      },
      runtime: {
        info: async () => {
          if (down) throw new AppError("engine-unavailable");
          return toEngineInfo(engine);
        },
        create: async ({ name }) => {
          containers.push(name);
          return "id";
        },
        start: async () => undefined,
        remove: async () => undefined,
        inspect: async (name) => ({
          id: "id",
          name,
          state: "exited",
          labels: {},
          startedAtMs: 1,
          finishedAtMs: 2,
          exitCode: 0,
          oomKilled: false,
        }),
        logs: async function* () {
          for (const line of status.split("\n")) yield { at: "", stream: "stdout", line };
        },
      },
    });
  });

  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const nftCalls = (): string[] => readFileSync(join(dir, "calls"), "utf8").trim().split("\n");

  it("is verified once for many pods that start together", async () => {
    await Promise.all(Array.from({ length: 20 }, () => isolation.check(signal)));
    await isolation.check(signal);

    expect(nftCalls()).toEqual(["-f", "-j"]);
    expect(containers).toHaveLength(1);
  });

  it("is not there where one pod could use up what all share", async () => {
    limitsTooLow = true;

    const checked = isolation.check(signal);

    await expect(checked).rejects.toMatchObject({
      code: "isolation-unavailable",
      details: { protection: "shared limits" },
    });
    expect(containers).toEqual([]);
  });

  it("has its firewall read again soon after, and no container run for it", async () => {
    await isolation.check(signal);
    nowMs += 1_500;

    await isolation.check(signal);

    expect(nftCalls()).toEqual(["-f", "-j", "-j"]);
    expect(containers).toHaveLength(1);
  });

  it("has a container run again when the engine became another one", async () => {
    await isolation.check(signal);
    nowMs += 31_000;
    await isolation.check(signal);
    engine = { ...SOUND, ServerVersion: "99" };
    nowMs += 31_000;

    await isolation.check(signal);

    expect(containers).toHaveLength(2);
  });

  it("is unavailable when a container shows that a protection is missing, until one shows that it is there", async () => {
    status = STATUS.replace("Seccomp:\t2", "Seccomp:\t0");
    await expect(isolation.check(signal)).rejects.toMatchObject({
      code: "isolation-unavailable",
      details: { protection: "seccomp" },
    });
    status = STATUS;

    await isolation.check(signal);
  });

  it("is not called unavailable when only the engine does not answer", async () => {
    down = true;

    await expect(isolation.check(signal)).rejects.toMatchObject({ code: "engine-unavailable" });
  });

  it("lets go of who no longer waits, and goes on for the others", async () => {
    const impatient = new AbortController();
    const first = isolation.check(impatient.signal);
    const second = isolation.check(signal);
    impatient.abort(new Error("enough"));

    await expect(first).rejects.toThrow("enough");
    await second;
  });
});
