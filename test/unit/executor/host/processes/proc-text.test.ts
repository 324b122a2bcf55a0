/** What /proc says, read strictly: whom we kill depends on it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  groupsOfContainer,
  isDead,
  isShimOf,
  parseSockets,
  parseStat,
} from "../../../../../executor/host/processes/proc-text.ts";

const ID = "4e21e20c45f88dff8f85e8146f5835181e49423b17579162898ab5d8ea2c02b6";
const OTHER = "28eb818d15912eb3b31213f5df82520de826a08acd998c183d3c7c13829e5bf1";
const SHIM = "/usr/bin/containerd-shim-runc-v2";

function statText(command: string, state: string, startTicks: number): string {
  const before = Array.from({ length: 18 }, () => "0").join(" ");
  return `27807 (${command}) ${state} ${before} ${startTicks} 1044480 131 0\n`;
}

describe("the stat of a process", () => {
  it("is read whatever the program calls itself", () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 15 }),
        fc.constantFrom("R", "S", "D", "T", "Z", "X"),
        fc.nat(),
        (command, state, ticks) => {
          expect(parseStat(statText(command, state, ticks))).toEqual({ command, state, startTicks: ticks });
        },
      ),
    );
  });

  it("that is cut off is not guessed at", () => {
    const whole = statText("sleep", "S", 12_345);

    const cuts = Array.from({ length: whole.indexOf("12345") }, (_, length) => parseStat(whole.slice(0, length)));

    expect(cuts.every((stat) => stat === undefined)).toBe(true);
  });

  it("tells the dead from those that hear no signal", () => {
    const dead = ["R", "S", "D", "T", "Z", "X"].filter((state) => isDead({ command: "", state, startTicks: 1 }));

    expect(dead).toEqual(["Z", "X"]);
  });
});

describe("the control groups of a container", () => {
  it.each([
    ["cgroupfs, version 1", `6:freezer:/docker/${ID}`, { controllers: ["freezer"], path: `/docker/${ID}` }],
    ["cgroupfs, version 2", `0::/docker/${ID}`, { controllers: [], path: `/docker/${ID}` }],
    [
      "systemd",
      `0::/system.slice/docker-${ID}.scope/inner`,
      { controllers: [], path: `/system.slice/docker-${ID}.scope/inner` },
    ],
    ["several at once", `4:cpu,cpuacct:/p/${ID}`, { controllers: ["cpu", "cpuacct"], path: `/p/${ID}` }],
  ])("are known by its id: %s", (_, line, group) => {
    expect(groupsOfContainer(`1:name=systemd:/\n${line}\n`, ID)).toEqual([group]);
  });

  it("are never those of a process outside, of another container, or of an id that is not whole", () => {
    expect(groupsOfContainer("9:pids:/user.slice\n0::/\n", ID)).toEqual([]);
    expect(groupsOfContainer(`0::/docker/${OTHER}`, ID)).toEqual([]);
    expect(groupsOfContainer(`0::/docker/x${ID}`, ID)).toEqual([]);
    for (const part of ["", ID.slice(0, 12), "docker", ID.toUpperCase()]) {
      expect(groupsOfContainer(`0::/docker/${ID}`, part)).toEqual([]);
    }
  });
});

describe("a shim", () => {
  const argv = [SHIM, "-namespace", "moby", "-id", ID, "-address", "/run/containerd/containerd.sock", ""];

  it("is known by the id and the namespace in its arguments", () => {
    expect(isShimOf(argv, ID)).toBe(true);
    expect(isShimOf(["/opt/kata/bin/containerd-shim-kata-v2", ...argv.slice(1)], ID)).toBe(true);
  });

  it.each([
    ["another container's", argv.with(4, OTHER)],
    ["another client's of containerd", argv.with(2, "k8s.io")],
    ["another program with the same arguments", argv.with(0, "/usr/bin/vim")],
    ["a helper that clears up behind a shim", [...argv.slice(0, -1), "-bundle", "/b", "delete"]],
    ["a kernel thread without arguments", []],
  ])("is not %s", (_, arguments_) => {
    expect(isShimOf(arguments_, ID)).toBe(false);
  });
});

it("only sockets that strangers reach count as listening, in both families", () => {
  const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
  const row = (local: string, state: string, inode: number): string =>
    `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 100 0 0 10 0\n`;
  const tcp = head + row("0100007F:94DF", "0A", 11) + row("0100007F:94E0", "01", 12);
  const tcp6 = head + row("00000000000000000000000000000000:9C40", "0A", 13);
  const udp = head + row("00000000:0035", "07", 14) + row("00000000:9999", "01", 15);

  expect(parseSockets(tcp, "tcp")).toEqual([{ protocol: "tcp", port: 38_111, inode: "11" }]);
  expect(parseSockets(tcp6, "tcp")).toEqual([{ protocol: "tcp", port: 40_000, inode: "13" }]);
  expect(parseSockets(udp, "udp")).toEqual([{ protocol: "udp", port: 53, inode: "14" }]);
});
