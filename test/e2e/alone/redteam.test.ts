/**
 * A renter with root in a pod who wants out, with a compiled program, beside a pod that must not notice.
 * The report of all attempts is written to .state/redteam/report.txt and report.json, also when an attempt succeeds.
 */
import { readFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { createDockerRuntime } from "../../../executor/docker/dockerode-runtime.ts";
import { mountOver, parseMounts } from "../../../executor/storage/mounts.ts";
import { rootQuota } from "../../../executor/storage/quota.ts";
import type { PodId } from "../../../protocol/ids.ts";
import { ATTEMPTS } from "../../redteam/attempts.ts";
import { attemptNames } from "../../redteam/build.ts";
import { Pinger, type Sample, summarise } from "../../redteam/latency.ts";
import { attack, type Timed } from "../../redteam/renter.ts";
import { type Finding, judge, type Latency, writeReport } from "../../redteam/report.ts";
import { FLOWS, RedTeamScene } from "../../redteam/scene.ts";
import { hostileImages } from "../../support/images.ts";

const FOLDER = join(import.meta.dirname, "../../../.state/redteam");
const MOST_LOG_BYTES = 40 * 2 ** 20;
/** What costs the host most, one after the other, while the neighbour's latency counts. */
const PRESSURE = ["processor", "fork-bomb", "memory-bomb", "disk-filling", "log-flooding"];
const ALLOWED_SLOWER = 1.2;
/** An answer over loopback takes 0.15 ms: a fifth of that is less than waking a process takes on another core. */
const ALLOWED_P50_MS = 0.15;
/** Eight busy processes on two cores: now and then a request waits for its turn. */
const ALLOWED_P95_MS = 10;
const ROUNDS = 2;

describe("a renter with root who wants out", () => {
  let scene: RedTeamScene;
  let findings: Finding[] = [];
  const latency: Latency[] = [];

  beforeAll(async () => {
    scene = await RedTeamScene.open();
  }, 300_000);

  afterAll(async () => {
    const info = await scene.docker.info();
    const host = {
      kernel: release(),
      engine: info.ServerVersion,
      storage: info.Driver,
      security: info.SecurityOptions.join(" "),
    };
    await writeReport(FOLDER, { host, results: judge(findings, await excuses()), latency });
    await scene[Symbol.asyncDispose]();
  });

  it("knows what every attempt of the program means", async () => {
    expect((await attemptNames(scene.program)).toSorted()).toEqual(Object.keys(ATTEMPTS).toSorted());
  });

  it("demand 15: gets at nothing that is not its own, and finds the end of everything that it shares", async () => {
    const settings = await scene.settings();
    const before = connectionsOfHost();
    const names = Object.keys(ATTEMPTS);
    const over = new AbortController();

    const found = await attack(scene.live, scene.attacker, {
      ...settings,
      only: names.filter((name) => name !== "runtime-overwrite").join(),
    });
    const after = connectionsOfHost();
    const starting = scene.startProgramsUntil(over.signal);
    found.push(...(await attack(scene.live, scene.attacker, { ...settings, only: "runtime-overwrite" })));
    over.abort();
    await starting;
    findings = withWhatTheHostSaw(found, { connections: after - before, logBytes: await scene.logBytes() });

    const results = judge(findings, await excuses());
    expect(results.filter(({ held }) => !held)).toEqual([]);
    expect(results.map(({ attempt }) => attempt).toSorted()).toEqual(names.toSorted());
  }, 300_000);

  it("does not slow the pod beside it by more than a fifth", async () => {
    const settings = { ...(await scene.settings()), seconds: 4, only: PRESSURE.join() };
    const pinger = await Pinger.start(scene.echo.host, scene.echo.port);
    const quiet: Sample[] = [];
    const pressed: Sample[] = [];
    const lines: Timed[] = [];

    for (let round = 0; round < ROUNDS; round += 1) {
      const calm = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      const began = performance.now();
      const found = await attack(scene.live, scene.attacker, settings);
      const end = performance.now();
      quiet.push(...pinger.samples.filter(({ atMs }) => atMs >= calm && atMs < began));
      pressed.push(...pinger.samples.filter(({ atMs }) => atMs >= began && atMs < end));
      let from = began;
      for (const finding of found) {
        latency.push(pinger.between(`${finding.attempt} ${round + 1}`, from, finding.atMs));
        from = finding.atMs;
      }
      lines.push(...found);
    }
    await pinger.stop();
    const [before, during] = [summarise("nothing", quiet), summarise("all of them", pressed)];
    latency.push(before, during);

    expect(lines).toHaveLength(ROUNDS * PRESSURE.length);
    expect(during.p50Ms).toBeLessThanOrEqual(before.p50Ms * ALLOWED_SLOWER + ALLOWED_P50_MS);
    expect(during.p95Ms).toBeLessThanOrEqual(before.p95Ms * ALLOWED_SLOWER + ALLOWED_P95_MS);
  }, 300_000);

  it("no image leads out of its pod by its settings or its links", async () => {
    const { canaryFile, canaryText } = scene.canaries;
    const look = `/bin/busybox cat ${"../".repeat(12)}${canaryFile} /etc/hosts; echo more >>/etc/hosts; exec sleep 1000`;
    const images = Object.entries(await hostileImages(canaryFile));

    const ends = await Promise.all(
      images.map(async ([name, image]) => {
        const spec = scene.live.spec({ image, command: ["/bin/sh", "-c", look] });
        const { podId } = await scene.live.client.createPod({ body: { spec } });
        return { name, podId, ...(await ending(podId)) };
      }),
    );

    expect(ends.filter(({ log }) => log.includes(canaryText))).toEqual([]);
    expect(ends.filter(({ phase }) => phase === "running").map(({ name }) => name)).toEqual(["kit-link", "names-link"]);
    expect(scene.canaryUntouched).toBe(true);
    for (const { podId, phase } of ends)
      if (phase === "running") await scene.live.terminate(podId);
      else await scene.live.untilPhase(podId, "failed");
  });

  /** What the pod wrote once it runs, or nothing where it was not started at all. */
  async function ending(podId: PodId): Promise<{ phase: string; log: string }> {
    const { client } = scene.live;
    const { status } = await client.getPod({ params: { podId }, query: { awaitPhase: "running", awaitSeconds: 30 } });
    if (status.phase !== "running") return { phase: status.phase, log: "" };
    const lines: string[] = [];
    for await (const { line } of client.podLogs({ params: { podId }, query: {} })) lines.push(line);
    return { phase: status.phase, log: lines.join("\n") };
  }
});

/** Some attempts only the host can judge. */
function withWhatTheHostSaw(found: readonly Finding[], host: { connections: number; logBytes: number }): Finding[] {
  return found.map(({ attempt, outcome, detail }) => {
    const seen = {
      connections: `the host counted ${host.connections} of ${FLOWS} more`,
      "log-flooding": `the log has ${host.logBytes} bytes`,
    }[attempt];
    const beyond =
      (attempt === "connections" && host.connections > FLOWS * 0.9) ||
      (attempt === "log-flooding" && host.logBytes > MOST_LOG_BYTES);
    return {
      attempt,
      outcome: beyond ? "succeeded" : outcome,
      detail: seen === undefined ? detail : `${detail}; ${seen}`,
    };
  });
}

/** Where the executor finds no quota, one pod can fill the disk; such a host takes no second one unless told to. */
async function excuses(): Promise<Record<string, string>> {
  const { storage } = await createDockerRuntime({ socketPath: "/var/run/docker.sock" }).info(
    AbortSignal.timeout(10_000),
  );
  const mounts = parseMounts(readFileSync("/proc/self/mountinfo", "utf8"));
  const quota = rootQuota(storage, mountOver(storage.rootDir, mounts)?.options ?? []);
  return "unavailable" in quota ? { "disk-filling": "quota-unavailable" } : {};
}

function connectionsOfHost(): number {
  return Number(readFileSync("/proc/sys/net/netfilter/nf_conntrack_count", "utf8"));
}
