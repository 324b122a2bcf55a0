/** Whom the executor finds and kills, on a /proc of plain files. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { linuxProcesses } from "../../../../../executor/host/processes/linux-processes.ts";

const ID = "4e21e20c45f88dff8f85e8146f5835181e49423b17579162898ab5d8ea2c02b6";
const OTHER = "28eb818d15912eb3b31213f5df82520de826a08acd998c183d3c7c13829e5bf1";
const signal = AbortSignal.timeout(10_000);

interface Made {
  readonly command?: string;
  readonly state?: string;
  readonly startTicks?: number;
  readonly cgroup?: string;
  readonly argv?: readonly string[];
  readonly wchan?: string;
  readonly threads?: Readonly<Record<number, string>>;
  readonly sockets?: readonly number[];
}

let root: string;
let killed: number[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lium-proc-"));
  killed = [];
  for (const table of ["tcp", "tcp6", "udp", "udp6"]) write(join("net", table), "head\n");
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string): void {
  const file = join(root, path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, text);
}

function stat(pid: number, { command = "sleep", state = "S", startTicks = 100 }: Made): string {
  return `${pid} (${command}) ${state} ${"0 ".repeat(18)}${startTicks} 0 0\n`;
}

function make(pid: number, made: Made): void {
  const { cgroup = "0::/", argv = ["/bin/sleep"], wchan = "0", threads = { [pid]: made.state ?? "S" } } = made;
  write(`${pid}/stat`, stat(pid, made));
  write(`${pid}/cgroup`, `${cgroup}\n`);
  write(`${pid}/cmdline`, argv.map((word) => `${word}\0`).join(""));
  for (const [tid, state] of Object.entries(threads)) {
    write(`${pid}/task/${tid}/stat`, stat(Number(tid), { ...made, state }));
    write(`${pid}/task/${tid}/wchan`, wchan);
  }
  for (const [fd, inode] of (made.sockets ?? []).entries()) {
    mkdirSync(join(root, `${pid}/fd`), { recursive: true });
    symlinkSync(`socket:[${inode}]`, join(root, `${pid}/fd/${fd + 3}`));
  }
}

const shimOf = (id: string): readonly string[] => ["/usr/bin/containerd-shim-runc-v2", "-namespace", "moby", "-id", id];
const processes = () =>
  linuxProcesses({ procRoot: root, cgroupRoot: join(root, "cgroups"), sendKill: (pid) => void killed.push(pid) });

describe("the processes of a container", () => {
  it("are those in its control group and its shim, and nobody else", async () => {
    make(10, { cgroup: `0::/docker/${ID}`, command: "docker-init" });
    make(11, { command: "containerd-shim", argv: shimOf(ID) });
    make(12, { cgroup: `0::/docker/${OTHER}` });
    make(13, { command: "containerd-shim", argv: shimOf(OTHER) });
    make(14, { command: "vim", argv: ["vim", "-namespace", "moby", "-id", ID] });

    const found = await processes().ofContainer(ID, signal);

    expect(found.members.map(({ pid }) => pid)).toEqual([10]);
    expect(found.shims.map(({ pid }) => pid)).toEqual([11]);
  });

  it("do not include the dead, but a process whose first thread died while another cannot", async () => {
    make(10, { cgroup: `0::/docker/${ID}`, state: "Z" });
    make(20, {
      cgroup: `0::/docker/${ID}`,
      state: "Z",
      threads: { 20: "Z", 21: "S", 22: "D" },
      wchan: "nv_wait",
      startTicks: 777,
    });

    const { members } = await processes().ofContainer(ID, signal);

    expect(members).toEqual([{ pid: 20, startTicks: 777, command: "sleep", state: "D", waitsIn: "nv_wait" }]);
  });

  it("that end while they are looked at are nobody", async () => {
    make(10, { cgroup: `0::/docker/${ID}` });
    rmSync(join(root, "10/stat"));

    expect(await processes().ofContainer(ID, signal)).toEqual({ members: [], shims: [] });
  });
});

describe("a kill", () => {
  it("goes to a member and a shim that are still who they were", async () => {
    make(10, { cgroup: `0::/docker/${ID}` });
    make(11, { command: "containerd-shim", argv: shimOf(ID) });
    const { members, shims } = await processes().ofContainer(ID, signal);

    processes().kill(ID, [...members, ...shims]);

    expect(killed).toEqual([10, 11]);
  });

  it("spares whoever got the pid of one that ended", async () => {
    make(10, { cgroup: `0::/docker/${ID}`, startTicks: 100 });
    make(11, { cgroup: `0::/docker/${ID}`, startTicks: 100 });
    make(12, { command: "containerd-shim", argv: shimOf(ID), startTicks: 100 });
    const { members, shims } = await processes().ofContainer(ID, signal);
    make(10, { cgroup: "0::/user.slice", startTicks: 100 });
    make(11, { cgroup: `0::/docker/${ID}`, startTicks: 101 });
    make(12, { command: "containerd-shim", argv: shimOf(OTHER), startTicks: 100 });

    processes().kill(ID, [...members, ...shims]);

    expect(killed).toEqual([]);
  });

  it("of one that has just ended is no failure", async () => {
    make(10, { cgroup: `0::/docker/${ID}` });
    const sendKill = (): void => {
      throw new Error("ESRCH");
    };
    const subject = linuxProcesses({ procRoot: root, sendKill });
    const { members } = await subject.ofContainer(ID, signal);

    expect(() => subject.kill(ID, members)).not.toThrow();
  });
});

it("thawing writes to the container's own freezer and to no other", async () => {
  make(10, { cgroup: `6:freezer:/docker/${ID}\n5:pids:/docker/${ID}` });
  for (const id of [ID, OTHER]) write(`cgroups/freezer/docker/${id}/freezer.state`, "FROZEN\n");
  const { members } = await processes().ofContainer(ID, signal);

  processes().thaw(ID, members);

  const stateOf = (id: string): string =>
    readFileSync(join(root, `cgroups/freezer/docker/${id}/freezer.state`), "utf8").trim();
  expect([stateOf(ID), stateOf(OTHER)]).toEqual(["THAWED", "FROZEN"]);
});

describe("the holder of a port", () => {
  const row = (local: string, state: string, inode: number): string =>
    `   0: ${local} 00000000:0000 ${state} 0:0 0:0 0 0 0 ${inode} 1 0\n`;

  it("is named with its pid; a socket that no process shows is held by the kernel", async () => {
    write("net/tcp", `head\n${row("00000000:9C40", "0A", 71)}${row("00000000:9C41", "0A", 72)}`);
    write("net/udp", `head\n${row("00000000:9C40", "07", 73)}`);
    make(10, { command: "docker-proxy", sockets: [70, 71] });

    const holders = await processes().holdersOf(
      [
        { hostPort: 40_000, protocol: "tcp" },
        { hostPort: 40_001, protocol: "tcp" },
        { hostPort: 40_001, protocol: "udp" },
      ],
      signal,
    );

    expect(holders).toEqual([
      { hostPort: 40_000, protocol: "tcp", pid: 10, command: "docker-proxy" },
      { hostPort: 40_001, protocol: "tcp", pid: undefined, command: "" },
    ]);
  });
});
