/** The health engine on made-up GPUs: what is sick is fenced alone, healed while nobody has it, and given again after a test. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { simulatedGpus } from "../../../../../executor/gpus/simulated.ts";
import { NEXT, PASSED, POD, SickHost } from "../../../../support/gpus/sick-host.ts";

let host: SickHost;

beforeEach(() => {
  host = new SickHost();
});

afterEach(() => host.close());

describe("a sick GPU", () => {
  it("is fenced alone, reset once nobody has it, tested, and given again", async () => {
    await host.start();
    host.claims.set(host.uuid(1), host.clock.now() - 1_000);
    host.kernel(1, "48, pid=4242, name=python3, A double bit error");
    await host.pass(10);
    const whileHeld = {
      offered: host.offered(),
      treated: [...host.treated],
      sick: host.health.sicknessOf([host.uuid(1)]),
    };
    host.claims.clear();
    await host.pass(15);

    expect(whileHeld).toMatchObject({ offered: [0, 2, 3], treated: [] });
    expect(whileHeld.sick?.message).toContain("Xid");
    expect(host.treated).toEqual([`reset ${host.uuid(1)}`, `validate ${host.uuid(1)}`]);
    expect(host.offered()).toEqual([0, 1, 2, 3]);
    expect(host.health.sicknessOf([host.uuid(1)])).toBeUndefined();
    expect(host.health.report().incidents).toMatchObject([{ code: "xid-48", podId: POD, fault: "provider" }]);
  });

  it("demand 20: is not fenced for what a renter's program did, and the renter is named", async () => {
    await host.start();
    host.claims.set(host.uuid(0), host.clock.now());
    host.kernel(0, "31, pid=4242, name=python3, MMU Fault");
    await host.pass(10);

    expect(host.offered()).toEqual([0, 1, 2, 3]);
    expect(host.health.report().incidents).toMatchObject([{ code: "xid-31", podId: POD, fault: "renter" }]);
  });

  it("demand 20: is tested before it is given again where programs of two pods met the same error within a day", async () => {
    await host.start();
    host.claims.set(host.uuid(0), host.clock.now());
    host.kernel(0, "13, pid=1, name=a, Graphics Exception");
    await host.pass(300);
    host.kernel(0, "13, pid=1, name=a, Graphics Exception");
    await host.pass(300);
    const alone = host.offered();
    host.pod = NEXT;
    host.kernel(0, "13, pid=2, name=b, Graphics Exception");
    await host.pass(10);
    const both = host.offered();
    host.claims.clear();
    await host.pass(10);

    expect([alone, both, host.offered()]).toEqual([
      [0, 1, 2, 3],
      [1, 2, 3],
      [0, 1, 2, 3],
    ]);
    expect(host.treated).toEqual([`validate ${host.uuid(0)}`]);
  });

  it("demand 20: is never blamed on the pod that came after the error", async () => {
    await host.start();
    host.claims.set(host.uuid(0), host.clock.now());
    host.kernel(0, "31, pid=1, name=old, MMU Fault", host.clock.now() - 5_000);
    await host.pass(10);

    const [incident] = host.health.report().incidents;
    expect(incident).toMatchObject({ code: "xid-31", fault: "unknown" });
    expect(incident?.podId).toBeUndefined();
  });

  it("demand 4: that came back from the bus is given again only after a test", async () => {
    await host.start();
    host.verdict = { result: "failed", message: "Wrong results." };
    host.gpus.inject(host.uuid(2), { code: "lost", message: "It is lost.", fence: true });
    await host.pass(10);
    host.gpus.clear(host.uuid(2));
    await host.pass(10);
    const untilFit = host.offered();
    host.verdict = PASSED;
    await host.pass(200);

    expect(untilFit).toEqual([0, 1, 3]);
    expect(host.offered()).toEqual([0, 1, 2, 3]);
  });

  it("demand 21: that fails its tests is reset, then the machine boots, and then nothing helps but an operator", async () => {
    await host.start();
    host.verdict = { result: "failed", message: "Wrong results." };
    host.gpus.inject(host.uuid(2), { code: "driver-crash", message: "It crashed.", fence: true });
    await host.pass(10);
    host.gpus.clear(host.uuid(2));
    await host.pass(600);
    const beforeBoot = [...host.treated];
    await host.health.close();
    host.bootId = "boot-2";
    host.treated = [];
    await host.start();
    await host.pass(600);

    expect(beforeBoot.slice(0, 3)).toEqual([
      `validate ${host.uuid(2)}`,
      `reset ${host.uuid(2)}`,
      `validate ${host.uuid(2)}`,
    ]);
    expect(beforeBoot.at(-1)).toBe("reboot");
    expect(host.treated).toEqual([`validate ${host.uuid(2)}`]);
    expect(host.health.report().fences).toMatchObject([{ cure: "operator", tries: 3 }]);
    expect(host.health.report().fences[0]?.waiting).toMatch(/operator/);
  });

  it("is known to be sick after a restart", async () => {
    await host.start();
    host.claims.set(host.uuid(3), host.clock.now());
    host.kernel(3, "79, GPU has fallen off the bus.");
    await host.pass(10);
    await host.health.close();
    host.gpus = simulatedGpus("4xL40S", "host", host.clock);
    await host.start();

    expect(host.offered()).toEqual([0, 1, 2]);
    expect(host.health.report().fences).toMatchObject([{ code: "xid-79", cure: "reboot" }]);
  });

  it("demand 4: is cleared by an operator's word, which is kept", async () => {
    await host.start();
    host.kernel(1, "61, PMU breakpoint");
    await host.pass(10);
    const fenced = host.offered();
    await host.health.clear(host.uuid(1), "It was inspected.");
    await host.pass(10);

    expect(fenced).toEqual([0, 2, 3]);
    expect(host.offered()).toEqual([0, 1, 2, 3]);
    expect(host.health.report().remedies).toMatchObject([
      { action: "clear", by: "operator", message: "xid-61: It was inspected." },
    ]);
    await expect(host.health.clear(host.uuid(1), "Again.")).rejects.toMatchObject({ code: "gpu-not-fenced" });
  });

  it("whose state holds is fenced again after an operator's word", async () => {
    await host.start();
    host.gpus.inject(host.uuid(0), { code: "rows-failed", message: "No row is left.", fence: true });
    await host.pass(10);
    await host.health.clear(host.uuid(0), "It looks fine.");
    await host.pass(10);

    expect(host.offered()).toEqual([1, 2, 3]);
  });

  it("is heard of once it is known which pods there are, and no sooner", async () => {
    let known = false;
    await host.start({ pods: () => (known ? host.pods() : undefined) });
    host.claims.set(host.uuid(1), host.clock.now());
    host.kernel(1, "31, pid=4242, name=python3, MMU Fault");
    await host.pass(10);
    const early = host.health.report().incidents;
    known = true;
    await host.pass(10);

    expect(early).toEqual([]);
    expect(host.health.report().incidents).toMatchObject([{ podId: POD }]);
  });
});
