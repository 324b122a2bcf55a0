/** What holds the health engine back, and what it goes by where it knows little. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { SickHost } from "../../../../support/gpus/sick-host.ts";

let host: SickHost;

beforeEach(() => {
  host = new SickHost();
});

afterEach(() => host.close());

describe("the engine", () => {
  it("takes the driver's word where nothing can test a device, and says so", async () => {
    await host.start();
    host.verdict = { result: "untested", message: "no-device: OpenCL does not show it." };
    host.kernel(1, "48, A double bit error");
    await host.pass(20);

    expect(host.offered()).toEqual([0, 1, 2, 3]);
    expect(host.health.report().remedies.at(-1)).toMatchObject({ action: "validate", outcome: "untested" });
  });

  it("asks for a boot once, and rests where it cannot be had", async () => {
    await host.start();
    host.bootFails = true;
    host.kernel(1, "79, GPU has fallen off the bus.");
    await host.pass(140);
    const inVain = [...host.treated];
    host.bootFails = false;
    await host.pass(200);

    expect(inVain).toEqual(["reboot"]);
    expect(host.treated).toEqual(["reboot", "reboot"]);
    expect(host.health.report().remedies.map(({ outcome }) => outcome)).toEqual(["failed", "begun"]);
  });

  it("sets a damaged state aside and goes by what the devices say", async () => {
    await writeFile(join(host.dir, "health.json"), "{ nonsense");
    host.gpus.inject(host.uuid(0), { code: "lost", message: "It is lost.", fence: true });
    await host.start();

    expect(host.health.report().fences).toMatchObject([{ code: "lost" }]);
  });

  it("does nothing but tests while the agent forbids more", async () => {
    await host.start();
    host.health.forbid("Half the fleet is sick.");
    host.kernel(1, "48, A double bit error");
    await host.pass(20);
    const forbidden = { treated: [...host.treated], waiting: host.health.report().fences[0]?.waiting };
    host.health.forbid(undefined);
    await host.pass(20);

    expect(forbidden).toEqual({ treated: [], waiting: "Half the fleet is sick." });
    expect(host.treated).toEqual([`reset ${host.uuid(1)}`, `validate ${host.uuid(1)}`]);
  });

  it("tries a reset that failed again, and gives up for the day", async () => {
    await host.start();
    host.resetFails = true;
    host.kernel(1, "119, Timeout after 6s of waiting for RPC response");
    await host.pass(400);

    expect(host.treated.filter((one) => one.startsWith("reset"))).toHaveLength(2);
    expect(host.treated.at(-1)).toBe("reboot");
  });
});
