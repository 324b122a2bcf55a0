/** The health engine on made-up GPUs: what is sick is fenced alone, healed while nobody has it, and given again after a test. */
import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { createLogger } from "../../../../../common/logger.ts";
import { GpuHealth, type HealthDeps } from "../../../../../executor/gpus/health/engine.ts";
import type { Verdict } from "../../../../../executor/gpus/health/remedies.ts";
import type { PodsForHealth } from "../../../../../executor/gpus/health/words.ts";
import { findingOfLine } from "../../../../../executor/gpus/kernel/lines.ts";
import { knownOr } from "../../../../../executor/gpus/known.ts";
import { simulatedGpus } from "../../../../../executor/gpus/simulated.ts";
import { AppError } from "../../../../../protocol/errors.ts";
import { type GpuUuid, PodId } from "../../../../../protocol/ids.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";

const POD = PodId.parse("01a20884-f4b5-7715-be2d-4761f65cf498");
const NEXT = PodId.parse("01a20884-f4b5-7715-be2d-4761f65cf499");
const PASSED: Verdict = { result: "passed", message: "It computes." };

let dir: string;
let clock: FakeClock;
let gpus: ReturnType<typeof simulatedGpus>;
let health: GpuHealth;
/** Who has which GPU, and since when. */
let claims: Map<GpuUuid, number>;
/** Whose they are. */
let pod: PodId;
let treated: string[];
let verdict: Verdict;
let resetFails: boolean;
let bootFails: boolean;
let bootId: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "gpu-health-"));
  clock = new FakeClock();
  gpus = simulatedGpus("4xL40S", "host", clock);
  claims = new Map();
  pod = POD;
  treated = [];
  verdict = PASSED;
  resetFails = false;
  bootFails = false;
  bootId = "boot-1";
});

afterEach(async () => {
  await health.close();
  rmSync(dir, { recursive: true });
});

function pods(): PodsForHealth {
  return {
    holders: new Map([...claims.keys()].map((gpu) => [gpu, pod])),
    holderAt: (units, atMs) => (units.some((unit) => (claims.get(unit) ?? Infinity) <= atMs) ? pod : undefined),
    live: claims.size,
  };
}

async function start(more: Partial<HealthDeps> = {}): Promise<void> {
  health = new GpuHealth(
    { stateFile: join(dir, "health.json"), bootId, allowReboot: true },
    {
      found: () => gpus.found(),
      judge: (judgement) => gpus.judge(judgement),
      look: () => gpus.lookWhole(),
      remedies: {
        validate: async ({ uuid }) => {
          treated.push(`validate ${uuid}`);
          return verdict;
        },
        reset: async ({ uuid }) => {
          treated.push(`reset ${uuid}`);
          if (resetFails) throw new AppError("gpu-not-reset", { message: "In use." });
        },
        reboot: async () => {
          treated.push("reboot");
          if (bootFails) throw new AppError("command-failed");
        },
      },
      pods,
      blocked: () => [],
      alone: (_units, work) => work(),
      clock,
      log: createLogger({ name: "test", level: "silent" }),
      ...more,
    },
  );
  await health.start();
  gpus.onChange(() => health.wake());
  await pass(10);
}

/** The engine writes to a real disk before it sleeps. */
async function pass(seconds: number): Promise<void> {
  for (let left = seconds; left > 0; left -= 5) {
    await clock.untilSleeping();
    await clock.advance(5_000);
  }
  await clock.untilSleeping();
}

function uuid(index: number): GpuUuid {
  return gpus.found().gpus[index]!.uuid;
}

function kernel(index: number, said: string, at = clock.now()): void {
  const place = knownOr(gpus.found().gpus[index]!.pciAddress, "");
  const finding = findingOfLine(`NVRM: Xid (PCI:${place.slice(0, -2)}): ${said}`, { at });
  if (finding === undefined) throw new Error("no finding");
  health.hear(finding);
}

function offered(): number[] {
  const all = gpus.found().gpus.map((gpu) => gpu.uuid);
  return gpus.list().map((gpu) => all.indexOf(gpu.uuid));
}

describe("a sick GPU", () => {
  it("is fenced alone, reset once nobody has it, tested, and given again", async () => {
    await start();
    claims.set(uuid(1), clock.now() - 1_000);
    kernel(1, "48, pid=4242, name=python3, A double bit error");
    await pass(10);
    const whileHeld = { offered: offered(), treated: [...treated], sick: health.sicknessOf([uuid(1)]) };
    claims.clear();
    await pass(15);

    expect(whileHeld).toMatchObject({ offered: [0, 2, 3], treated: [] });
    expect(whileHeld.sick?.message).toContain("Xid");
    expect(treated).toEqual([`reset ${uuid(1)}`, `validate ${uuid(1)}`]);
    expect(offered()).toEqual([0, 1, 2, 3]);
    expect(health.sicknessOf([uuid(1)])).toBeUndefined();
    expect(health.report().incidents).toMatchObject([{ code: "xid-48", podId: POD, fault: "provider" }]);
  });

  it("demand 20: is not fenced for what a renter's program did, and the renter is named", async () => {
    await start();
    claims.set(uuid(0), clock.now());
    kernel(0, "31, pid=4242, name=python3, MMU Fault");
    await pass(10);

    expect(offered()).toEqual([0, 1, 2, 3]);
    expect(health.report().incidents).toMatchObject([{ code: "xid-31", podId: POD, fault: "renter" }]);
  });

  it("demand 20: is tested before it is given again where programs of two pods met the same error within a day", async () => {
    await start();
    claims.set(uuid(0), clock.now());
    kernel(0, "13, pid=1, name=a, Graphics Exception");
    await pass(300);
    kernel(0, "13, pid=1, name=a, Graphics Exception");
    await pass(300);
    const alone = offered();
    pod = NEXT;
    kernel(0, "13, pid=2, name=b, Graphics Exception");
    await pass(10);
    const both = offered();
    claims.clear();
    await pass(10);

    expect([alone, both, offered()]).toEqual([
      [0, 1, 2, 3],
      [1, 2, 3],
      [0, 1, 2, 3],
    ]);
    expect(treated).toEqual([`validate ${uuid(0)}`]);
  });

  it("demand 20: is never blamed on the pod that came after the error", async () => {
    await start();
    claims.set(uuid(0), clock.now());
    kernel(0, "31, pid=1, name=old, MMU Fault", clock.now() - 5_000);
    await pass(10);

    const [incident] = health.report().incidents;
    expect(incident).toMatchObject({ code: "xid-31", fault: "unknown" });
    expect(incident?.podId).toBeUndefined();
  });

  it("demand 4: that came back from the bus is given again only after a test", async () => {
    await start();
    verdict = { result: "failed", message: "Wrong results." };
    gpus.inject(uuid(2), { code: "lost", message: "It is lost.", fence: true });
    await pass(10);
    gpus.clear(uuid(2));
    await pass(10);
    const untilFit = offered();
    verdict = PASSED;
    await pass(200);

    expect(untilFit).toEqual([0, 1, 3]);
    expect(offered()).toEqual([0, 1, 2, 3]);
  });

  it("demand 21: that fails its tests is reset, then the machine boots, and then nothing helps but an operator", async () => {
    await start();
    verdict = { result: "failed", message: "Wrong results." };
    gpus.inject(uuid(2), { code: "driver-crash", message: "It crashed.", fence: true });
    await pass(10);
    gpus.clear(uuid(2));
    await pass(600);
    const beforeBoot = [...treated];
    await health.close();
    bootId = "boot-2";
    treated = [];
    await start();
    await pass(600);

    expect(beforeBoot.slice(0, 3)).toEqual([`validate ${uuid(2)}`, `reset ${uuid(2)}`, `validate ${uuid(2)}`]);
    expect(beforeBoot.at(-1)).toBe("reboot");
    expect(treated).toEqual([`validate ${uuid(2)}`]);
    expect(health.report().fences).toMatchObject([{ cure: "operator", tries: 3 }]);
    expect(health.report().fences[0]?.waiting).toMatch(/operator/);
  });

  it("is known to be sick after a restart", async () => {
    await start();
    claims.set(uuid(3), clock.now());
    kernel(3, "79, GPU has fallen off the bus.");
    await pass(10);
    await health.close();
    gpus = simulatedGpus("4xL40S", "host", clock);
    await start();

    expect(offered()).toEqual([0, 1, 2]);
    expect(health.report().fences).toMatchObject([{ code: "xid-79", cure: "reboot" }]);
  });

  it("demand 4: is cleared by an operator's word, which is kept", async () => {
    await start();
    kernel(1, "61, PMU breakpoint");
    await pass(10);
    const fenced = offered();
    await health.clear(uuid(1), "It was inspected.");
    await pass(10);

    expect(fenced).toEqual([0, 2, 3]);
    expect(offered()).toEqual([0, 1, 2, 3]);
    expect(health.report().remedies).toMatchObject([
      { action: "clear", by: "operator", message: "xid-61: It was inspected." },
    ]);
    await expect(health.clear(uuid(1), "Again.")).rejects.toMatchObject({ code: "gpu-not-fenced" });
  });

  it("whose state holds is fenced again after an operator's word", async () => {
    await start();
    gpus.inject(uuid(0), { code: "rows-failed", message: "No row is left.", fence: true });
    await pass(10);
    await health.clear(uuid(0), "It looks fine.");
    await pass(10);

    expect(offered()).toEqual([1, 2, 3]);
  });

  it("is heard of once it is known which pods there are, and no sooner", async () => {
    let known = false;
    await start({ pods: () => (known ? pods() : undefined) });
    claims.set(uuid(1), clock.now());
    kernel(1, "31, pid=4242, name=python3, MMU Fault");
    await pass(10);
    const early = health.report().incidents;
    known = true;
    await pass(10);

    expect(early).toEqual([]);
    expect(health.report().incidents).toMatchObject([{ podId: POD }]);
  });
});

describe("the engine", () => {
  it("takes the driver's word where nothing can test a device, and says so", async () => {
    await start();
    verdict = { result: "untested", message: "no-device: OpenCL does not show it." };
    kernel(1, "48, A double bit error");
    await pass(20);

    expect(offered()).toEqual([0, 1, 2, 3]);
    expect(health.report().remedies.at(-1)).toMatchObject({ action: "validate", outcome: "untested" });
  });

  it("asks for a boot once, and rests where it cannot be had", async () => {
    await start();
    bootFails = true;
    kernel(1, "79, GPU has fallen off the bus.");
    await pass(140);
    const inVain = [...treated];
    bootFails = false;
    await pass(200);

    expect(inVain).toEqual(["reboot"]);
    expect(treated).toEqual(["reboot", "reboot"]);
    expect(health.report().remedies.map(({ outcome }) => outcome)).toEqual(["failed", "begun"]);
  });

  it("sets a damaged state aside and goes by what the devices say", async () => {
    await writeFile(join(dir, "health.json"), "{ nonsense");
    gpus.inject(uuid(0), { code: "lost", message: "It is lost.", fence: true });
    await start();

    expect(health.report().fences).toMatchObject([{ code: "lost" }]);
  });

  it("does nothing but tests while the agent forbids more", async () => {
    await start();
    health.forbid("Half the fleet is sick.");
    kernel(1, "48, A double bit error");
    await pass(20);
    const forbidden = { treated: [...treated], waiting: health.report().fences[0]?.waiting };
    health.forbid(undefined);
    await pass(20);

    expect(forbidden).toEqual({ treated: [], waiting: "Half the fleet is sick." });
    expect(treated).toEqual([`reset ${uuid(1)}`, `validate ${uuid(1)}`]);
  });

  it("tries a reset that failed again, and gives up for the day", async () => {
    await start();
    resetFails = true;
    kernel(1, "119, Timeout after 6s of waiting for RPC response");
    await pass(400);

    expect(treated.filter((one) => one.startsWith("reset"))).toHaveLength(2);
    expect(treated.at(-1)).toBe("reboot");
  });
});
