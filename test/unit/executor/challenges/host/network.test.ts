/** The network of the window through which a validator looks: a pod's, and never one that a pod has. */
import { setImmediate } from "node:timers/promises";

import { describe, expect, it } from "vitest";

import { createKeyedLock } from "../../../../../common/keyed-lock.ts";
import { type BorrowDeps, borrowNetwork } from "../../../../../executor/challenges/host/window/network.ts";
import { PodNetworks } from "../../../../../executor/isolation/networks.ts";
import { slotAt } from "../../../../../executor/isolation/slots.ts";
import { ADMISSION } from "../../../../../executor/pods/admission.ts";
import { AppError } from "../../../../../protocol/errors.ts";
import { FakeNetworks } from "../../../../support/fake-networks.ts";
import { loggerToMemory } from "../../../../support/memory-log.ts";

const POOL = "10.213.0.0/27";
const signal = new AbortController().signal;
const slot = (index: number) => slotAt(POOL, index);

class Host {
  readonly engine = new FakeNetworks();
  readonly admissions = createKeyedLock();
  readonly networks = new PodNetworks(
    { pool: POOL, spares: 0, hostId: "host" },
    {
      networks: this.engine,
      readHostNetwork: async () => ({
        routes: [],
        interfaces: new Set([...this.engine.networks.values()].flatMap(({ bridge }) => bridge ?? [])),
        nameServers: [],
      }),
      log: loggerToMemory().log,
    },
  );

  borrow(over: Partial<BorrowDeps> = {}): ReturnType<typeof borrowNetwork> {
    const deps = {
      admissions: this.admissions,
      isolation: { networks: this.networks, check: async () => undefined },
      known: () => ({ subnets: [slot(0).subnet] }),
    };
    return borrowNetwork("window", { ...deps, ...over }, signal);
  }
}

describe("the network of the window", () => {
  it("is there, and none that a pod has or gets", async () => {
    const host = new Host();

    const { network } = await host.borrow();

    expect(network).toEqual(slot(1));
    expect([...host.engine.networks.keys()]).toEqual([slot(1).name]);
    expect(host.networks.choose([slot(0).subnet])).toEqual(slot(2));
  });

  it("is another one where the first turns out to be somebody else's, which is not kept", async () => {
    const host = new Host();
    host.engine.add({ name: slot(1).name, subnets: [slot(1).subnet], labels: {} });

    const loan = await host.borrow();
    loan.end();
    await host.networks.keepSpares(() => [], signal);

    expect(loan.network).toEqual(slot(2));
    expect(host.networks.choose([slot(0).subnet])).toEqual(slot(2));
  });

  it("is not chosen while a pod is", async () => {
    const host = new Host();
    const admission = Promise.withResolvers<void>();
    const admitted = host.admissions.run(ADMISSION, () => admission.promise, signal);

    const borrowing = host.borrow();
    // All that it can do without waiting is done by then.
    await setImmediate();
    const before = host.networks.choose([slot(0).subnet]);
    admission.resolve();
    await Promise.all([admitted, borrowing]);

    expect(before).toEqual(slot(1));
    expect(host.networks.choose([slot(0).subnet])).toEqual(slot(2));
  });

  it.each([
    ["when none is free", { known: () => ({ subnets: [POOL] }) }, "network-taken"],
    ["while it is not known which pods there are", { known: () => undefined }, "engine-unavailable"],
  ])("is refused %s", async (_, over, code) => {
    await expect(new Host().borrow(over)).rejects.toMatchObject({ code });
  });

  it("is refused when a pod could not start either, and nothing was made", async () => {
    const host = new Host();
    const check = (): Promise<void> => Promise.reject(new AppError("isolation-unavailable"));

    const borrowing = host.borrow({ isolation: { networks: host.networks, check } });

    await expect(borrowing).rejects.toMatchObject({ code: "isolation-unavailable" });
    expect(host.engine.networks.size).toBe(0);
  });

  it("is given back when it cannot be made", async () => {
    const host = new Host();
    const ensure = (): Promise<void> => Promise.reject(new AppError("engine-unavailable"));
    const networks = { lend: host.networks.lend.bind(host.networks), ensure };

    const borrowing = host.borrow({ isolation: { networks, check: async () => undefined } });

    await expect(borrowing).rejects.toMatchObject({ code: "engine-unavailable" });
    expect(host.networks.choose([slot(0).subnet])).toEqual(slot(1));
  });
});
