/**
 * Pods on a host of their own, with an internet beside it: what they reach and what not, how fast, and what happens when a
 * protection is taken away. The engine, the kernel and nft are real.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { capabilityMask } from "../../../executor/docker/hardening.ts";
import type { Isolation } from "../../../executor/isolation/isolation.ts";
import { gatewayOf } from "../../../executor/isolation/slots.ts";
import { until } from "../../support/arena/wait.ts";
import { busyboxImage } from "../../support/images.ts";
import { BUSYBOX, isolationIn, type LabPod, reaches, startPod } from "../../support/lab-pods.ts";
import { HOST_ADDRESS, INTERNET, Lab } from "../../support/lab.ts";

const PORTS = { greeter: 80, sink: 9_000, source: 9_001 };
const HOST_PORT = 8_080;
const PEER = join(import.meta.dirname, "../../support/lab-peer.ts");
const signal = AbortSignal.timeout(600_000);

let lab: Lab;
let image: string;

beforeAll(async () => {
  lab = await Lab.open();
  image = await busyboxImage();
  await lab.startEngine();
  await lab.load(image);
  lab.spawn([process.execPath, PEER, String(HOST_PORT)]);
});

afterAll(() => lab[Symbol.asyncDispose]());

/** What a machine on the internet hears from a port. */
async function fromInternet(address: string, port: number): Promise<string> {
  const argv = ["ip", "netns", "exec", "internet", "busybox", "nc", "-w", "2", address, String(port)];
  return (await lab.run(["timeout", "4", ...argv])).stdout.trim();
}

describe("a pod", () => {
  const limits = { uploadMbitPerSecond: 80, downloadMbitPerSecond: 160 };
  const rates: number[] = [];
  let isolation: Isolation;
  let pod: LabPod;
  let neighbour: LabPod;

  beforeAll(async () => {
    const peer = lab.spawn([process.execPath, PEER, ...Object.values(PORTS).map(String)], "internet");
    peer.stdout?.on("data", (text: Buffer) => rates.push(...text.toString().trim().split("\n").map(Number)));
    isolation = await isolationIn(lab, { ...limits, maxConnections: 64 });
    pod = await startPod(lab, isolation, { image });
    const serve = `exec ${BUSYBOX} nc -ll -p 80 -e ${BUSYBOX} echo hello`;
    const command = ["/bin/busybox", "sh", "-c", serve];
    neighbour = await startPod(lab, isolation, { image, spec: { pidsLimit: 64, command } });
    await until("the internet", 10_000, async () =>
      (await reaches(pod, INTERNET.public, PORTS.greeter)) ? true : undefined,
    );
    await until("the neighbour", 10_000, async () =>
      (await fromInternet(HOST_ADDRESS, neighbour.ports.web)) === "hello" ? true : undefined,
    );
  });

  /** Addresses and ports that answer, and not to this pod. */
  function forbidden(): readonly (readonly [string, number])[] {
    const [gateway, theirs] = [gatewayOf(pod.network), gatewayOf(neighbour.network)];
    return [
      [neighbour.address, 80],
      [HOST_ADDRESS, neighbour.ports.web],
      [gateway, neighbour.ports.web],
      [HOST_ADDRESS, HOST_PORT],
      [gateway, HOST_PORT],
      [theirs, HOST_PORT],
      [INTERNET.metadata, PORTS.greeter],
      [INTERNET.private, PORTS.greeter],
    ];
  }

  async function reachedOf(places: readonly (readonly [string, number])[]): Promise<unknown> {
    const reached = await Promise.all(places.map(([address, port]) => reaches(pod, address, port)));
    return places.filter((_, index) => reached[index]);
  }

  it("demand 15: reaches the internet, and no neighbour, host, metadata service or private network", async () => {
    expect(await reachedOf(forbidden())).toEqual([]);
    expect(await reaches(pod, INTERNET.public, PORTS.greeter)).toBe(true);
  });

  it("demand 15: has the documented capabilities, a seccomp filter, and no way to more", async () => {
    const { stdout } = await pod.run([BUSYBOX, "cat", "/proc/self/status"]);
    const attempts = await Promise.all(
      [
        ["mount", "-t", "tmpfs", "none", "/mnt"],
        ["unshare", "-U", "true"],
        ["mknod", "/tmp/sda", "b", "8", "0"],
        ["ping", "-c", "1", "-W", "1", neighbour.address],
        ["ip", "link", "set", "lo", "down"],
        ["insmod", "/none.ko"],
        ["sh", "-c", "echo 1 >/proc/sys/kernel/core_pattern"],
        ["ls", "/var/run/docker.sock"],
        ["ls", "/run/docker.sock"],
      ].map((argv) => pod.run([BUSYBOX, ...argv])),
    );

    for (const field of ["CapPrm", "CapEff", "CapBnd"])
      expect(stdout).toMatch(new RegExp(`^${field}:\\s${capabilityMask()}$`, "m"));
    expect(stdout).toMatch(/^Seccomp:\s2$/m);
    expect(stdout).toMatch(/^NoNewPrivs:\s1$/m);
    expect(attempts.map(({ exitCode }) => exitCode)).not.toContain(0);
  });

  it("demand 15: a fork bomb stops at the pod's own limit", async () => {
    await neighbour.sh("for i in $(seq 200); do sleep 5 & done; true");

    const { stdout } = await lab.run([
      "sh",
      "-c",
      `cat /sys/fs/cgroup/pids/lium-lab-*/*/pids.current /sys/fs/cgroup/lium-lab-*/*/pids.current 2>/dev/null`,
    ]);

    expect(Math.max(...stdout.trim().split("\n").map(Number))).toBeLessThanOrEqual(64);
  });

  it("is reached by its published ports alone, also by who knows its address", async () => {
    expect(await fromInternet(HOST_ADDRESS, neighbour.ports.web)).toBe("hello");
    expect(await fromInternet(neighbour.address, 80)).toBe("");
  });

  it("demand 31: uploads and downloads as fast as it may, and no faster", async () => {
    await pod.sh(`timeout 6 nc ${INTERNET.public} ${PORTS.sink} </dev/zero`);
    const upload = await until("the measurement", 5_000, () => rates.shift());
    await pod.sh(`timeout 6 nc ${INTERNET.public} ${PORTS.source} >/dev/null`);
    const download = await until("the measurement", 5_000, () => rates.shift());

    for (const [rate, limit] of [
      [upload, limits.uploadMbitPerSecond],
      [download, limits.downloadMbitPerSecond],
    ] as const) {
      const ratio = (rate * 8) / (limit * 1e6);
      expect(ratio).toBeGreaterThan(0.8);
      expect(ratio).toBeLessThan(1.2);
    }
  });

  it("is kept apart by our own firewall alone, should somebody flush the engine's", async () => {
    await lab.run(["iptables", "-P", "FORWARD", "ACCEPT"]);
    await lab.run(["iptables", "-F"]);

    expect(await reachedOf(forbidden())).toEqual([]);
    expect(await fromInternet(neighbour.address, 80)).toBe("");
    expect(await reaches(pod, INTERNET.public, PORTS.greeter)).toBe(true);
  });

  it("cannot fill the host's table of connections", async () => {
    const flood = `for i in $(seq 100); do sleep 9 | nc ${INTERNET.public} ${PORTS.sink} >/dev/null 2>&1 & done; sleep 1`;
    await pod.sh(flood);

    const { stdout } = await lab.run(["cat", "/proc/net/nf_conntrack"]);
    const open = stdout.split("\n").filter((line) => line.includes(`src=${pod.address} `) && !/_WAIT|CLOSE/.test(line));
    expect(open.length).toBeLessThanOrEqual(64);
    expect(open.length).toBeGreaterThan(32);
  });
});

describe("a pod's name servers", () => {
  it.each([
    ["in a private network", INTERNET.private, "internet"],
    ["on the host's loopback", "127.0.0.1", "host"],
    ["at the host's own address", HOST_ADDRESS, "host"],
  ] as const)("answer when the host asks one %s", async (_, address, where) => {
    await lab.run(["sh", "-c", `echo nameserver ${address} >/etc/resolv.conf`]);
    const server = lab.spawn(
      ["dnsmasq", "-k", "-R", "-h", "-a", address, "-z", "-A", "/example.org/192.0.2.77", "-x", "", "-u", "root"],
      where,
    );
    const isolation = await isolationIn(lab);
    const pod = await startPod(lab, isolation, { image });

    const answer = await until("an answer", 10_000, async () => {
      const { stdout } = await pod.run([BUSYBOX, "nslookup", "example.org"]);
      return stdout.includes("192.0.2.77") ? stdout : undefined;
    });

    expect(answer).toContain("127.0.0.11");
    expect(await reaches(pod, address === "127.0.0.1" ? HOST_ADDRESS : address, HOST_PORT)).toBe(false);
    server.kill("SIGKILL");
    await lab.run(["pkill", "-9", "dnsmasq"]);
  });
});

describe("the firewall", () => {
  it.each([
    ["is flushed", ["flush", "ruleset"]],
    ["loses its table", ["delete", "table", "inet", "lium"]],
    ["loses the rules of a chain", ["flush", "chain", "inet", "lium", "to_host"]],
    ["gets a rule that lets everything pass", ["insert", "rule", "inet", "lium", "from_pod", "accept"]],
  ])("is put right when it %s", async (_, damage) => {
    let nowMs = 0;
    const clock = {
      now: () => nowMs,
      monotonic: () => nowMs,
      sleep: () => new Promise<void>((resolve) => setTimeout(resolve, 20)),
    };
    const isolation = await isolationIn(lab, {}, { clock });
    await isolation.check(signal);
    const { stdout: before } = await lab.run(["nft", "list", "table", "inet", "lium"]);
    await lab.run(["nft", ...damage]);
    nowMs += 2_000;

    await isolation.check(signal);

    const { stdout: after } = await lab.run(["nft", "list", "table", "inet", "lium"]);
    expect(after).toBe(before);
    expect(after).toContain("chain to_host");
  });
});

describe("demand 15: no pod is created, and `isolation-unavailable` says why, when", () => {
  async function refusal(isolation: Isolation): Promise<unknown> {
    const before = await lab.docker.listContainers({ all: true });
    const reason = await startPod(lab, isolation, { image }).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect((await lab.docker.listContainers({ all: true })).length).toBe(before.length);
    return reason;
  }

  it("nft is not installed", async () => {
    const isolation = await isolationIn(lab, {}, { nft: join(lab.dir, "none/nft") });

    expect(await refusal(isolation)).toMatchObject({
      code: "isolation-unavailable",
      details: { protection: "firewall" },
    });
  });

  it("nft refuses", async () => {
    const nft = join(lab.dir, "old-nft");
    await writeFile(nft, "#!/bin/sh\necho 'syntax error, unexpected from_pod' >&2; exit 1\n", { mode: 0o755 });

    const reason = await refusal(await isolationIn(lab, {}, { nft }));

    expect(reason).toMatchObject({
      code: "isolation-unavailable",
      details: { stderr: expect.stringContaining("syntax error") as string },
    });
  });

  it("the engine has no such runtime", async () => {
    const reason = await refusal(await isolationIn(lab, { runtime: "runsc" }));

    expect(reason).toMatchObject({ code: "isolation-unavailable", details: { protection: "runtime" } });
  });

  it("the runtime does not work", async () => {
    await lab.startEngine({ runtimes: { broken: { path: "/bin/false" } } });

    const reason = await refusal(await isolationIn(lab, { runtime: "broken" }));

    expect(reason).toMatchObject({ code: "isolation-unavailable", details: { protection: "runtime" } });
  });

  it("the engine runs containers without seccomp", async () => {
    await lab.startEngine({ "seccomp-profile": "unconfined" });

    const reason = await refusal(await isolationIn(lab));

    expect(reason).toMatchObject({ code: "isolation-unavailable", details: { protection: "seccomp" } });
  });
});
