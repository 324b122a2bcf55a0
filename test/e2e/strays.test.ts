/** On the real engine and host: exactly the leftovers of ours go, after the grace; what looks like them stays. */
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { systemClock } from "../../common/clock.ts";
import { exec } from "../../common/exec.ts";
import { createKeyedLock } from "../../common/keyed-lock.ts";
import { newPodId } from "../../common/new-id.ts";
import { createDockerEnding } from "../../executor/docker/dockerode-ending.ts";
import { createDockerRuntime } from "../../executor/docker/dockerode-runtime.ts";
import { createDockerStrays } from "../../executor/docker/dockerode-strays.ts";
import { labelsOf } from "../../executor/docker/labels.ts";
import { linuxProcesses } from "../../executor/host/processes/linux-processes.ts";
import { endContainer } from "../../executor/pods/ending.ts";
import { linuxThings } from "../../executor/strays/linux-things.ts";
import { Strays } from "../../executor/strays/strays.ts";
import { strayObjectsCompliance } from "../compliance/stray-objects.suite.ts";
import { until } from "../support/arena/wait.ts";
import { podRecord, wantedPod } from "../support/builders.ts";
import { busyboxImage } from "../support/images.ts";
import { loggerToMemory } from "../support/memory-log.ts";
import { SLEEP, smallContainer } from "../support/small-container.ts";

const socketPath = "/var/run/docker.sock";
const docker = new Docker({ socketPath });
const runtime = createDockerRuntime({ socketPath });
const objects = createDockerStrays({ socketPath });
const { log } = loggerToMemory();
const signal = AbortSignal.timeout(5 * 60_000);
const tool = { signal, timeoutMs: 10_000 };
const GRACE_MS = 600_000;

const RUN = `lium-strays-${randomUUID().slice(0, 8)}`;
const HOST = `key-of-${RUN}`;
const TEST = { "lium.test": RUN };
const OURS = { ...TEST, "lium.host": HOST };
const [LIVE, OVER, UNKNOWN, REBUILT] = [newPodId(), newPodId(), newPodId(), newPodId()];

let state = "";
let elsewhere = "";
let image = "";

interface More {
  readonly start?: boolean;
  readonly network?: string;
}

async function container(name: string, labels: Record<string, string>, more: More = {}): Promise<string> {
  const spec = smallContainer({ name: `${RUN}-${name}`, image, labels: { ...labels, ...TEST } });
  const NetworkMode = more.network ?? spec.HostConfig.NetworkMode;
  await runtime.create({ ...spec, HostConfig: { ...spec.HostConfig, NetworkMode } }, signal);
  if (more.start === true) await runtime.start(spec.name, signal);
  return `container ${spec.name}`;
}

async function network(name: string, Labels: Record<string, string>): Promise<string> {
  await docker.createNetwork({ Name: `${RUN}-${name}`, Labels: { ...Labels, ...TEST } });
  return `network ${RUN}-${name}`;
}

async function volume(name: string, Labels: Record<string, string>): Promise<string> {
  await docker.createVolume({ Name: `${RUN}-${name}`, Labels: { ...Labels, ...TEST } });
  return `volume ${RUN}-${name}`;
}

function folder(path: string): string {
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "file"), "");
  return `folder ${path}`;
}

async function mount(path: string): Promise<string> {
  mkdirSync(path, { recursive: true });
  await exec("mount", ["-t", "tmpfs", "-o", "size=64k", RUN, path], tool);
  return `mount ${path}`;
}

async function loop(file: string): Promise<string> {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, Buffer.alloc(64 * 1024));
  const { stdout } = await exec("losetup", ["--find", "--show", file], tool);
  return `loop ${stdout.trim()}`;
}

const labelsOfPod = (podId: typeof LIVE, host = HOST) => labelsOf(podRecord({ wanted: wantedPod({ podId }) }), host);

/** Ten things that belong to nobody. */
async function tenStrays(): Promise<string[]> {
  return [
    await container("unreadable", { ...OURS, "lium.pod": UNKNOWN }),
    await container("over", labelsOfPod(OVER)),
    await container("over-runs", labelsOfPod(OVER), { start: true }),
    await network("one", { ...OURS, "lium.network": "x" }),
    await network("two", { ...OURS, "lium.network": "y" }),
    await volume("over", { ...OURS, "lium.pod": OVER }),
    await volume("unknown", { ...OURS, "lium.pod": newPodId() }),
    folder(join(state, "pods", OVER)),
    await mount(join(state, "disks", OVER)),
    await loop(join(state, "images/stray.img")),
  ];
}

/** And more than ten that look like them. */
async function lookAlikes(): Promise<string[]> {
  const used = await network("used", { ...OURS, "lium.network": "z" });
  return [
    used,
    await container(newPodId(), {}),
    await container("theirs", labelsOfPod(OVER, "another-key")),
    await container("no-host", { "lium.pod": OVER }),
    await container("unreadable-runs", { ...OURS, "lium.pod": newPodId() }, { start: true }),
    await container("rebuilt", labelsOfPod(REBUILT), { network: `${RUN}-used` }),
    await network("no-label", OURS),
    await network("theirs", { "lium.network": "x", "lium.host": "another-key" }),
    await volume("no-label", OURS),
    await volume("data", { ...OURS, "lium.pod": OVER, "lium.volume": "data" }),
    folder(join(state, "pods", LIVE)),
    folder(join(state, "pods", REBUILT)),
    folder(join(state, "pods/kit")),
    folder(join(elsewhere, "pods", OVER)),
    await mount(join(state, "disks", LIVE)),
    await mount(join(elsewhere, "disks", OVER)),
    await loop(join(elsewhere, "theirs.img")),
  ];
}

/** What there is of all that now. */
async function present(): Promise<string[]> {
  const { containers, networks, volumes } = await objects.list(signal);
  const names = (kind: string, things: readonly { name: string }[]): string[] =>
    things.filter(({ name }) => name.startsWith(RUN)).map(({ name }) => `${kind} ${name}`);
  const roots = [state, elsewhere].map((root) => join(root, "pods"));
  const host = await linuxThings().list(roots, signal);
  return [
    ...names("container", containers),
    ...names("network", networks),
    ...names("volume", volumes),
    ...host.folders.map(({ path }) => `folder ${path}`),
    ...(existsSync(join(state, "pods/kit/file")) ? [`folder ${join(state, "pods/kit")}`] : []),
    ...host.mounts.filter(({ path }) => path.includes(RUN)).map(({ path }) => `mount ${path}`),
    ...host.loops.filter(({ file }) => file.includes(RUN)).map(({ path }) => `loop ${path}`),
  ].toSorted();
}

beforeAll(async () => {
  image = await busyboxImage();
  state = mkdtempSync(join(tmpdir(), `${RUN}-state-`));
  elsewhere = mkdtempSync(join(tmpdir(), `${RUN}-elsewhere-`));
});

afterAll(async () => {
  const ofRun = { filters: { label: [`lium.test=${RUN}`] } };
  const rows = await docker.listContainers({ all: true, ...ofRun });
  await Promise.all(rows.map(({ Id }) => docker.getContainer(Id).remove({ force: true })));
  for (const { Name } of await docker.listNetworks(ofRun)) await docker.getNetwork(Name).remove();
  for (const { Name } of (await docker.listVolumes(ofRun)).Volumes) await docker.getVolume(Name).remove();
  const { mounts, loops } = await linuxThings().list([], signal);
  for (const { path } of mounts) if (path.includes(RUN)) await exec("umount", [path], tool);
  for (const { path, file } of loops) if (file.includes(RUN)) await exec("losetup", ["-d", path], tool);
  for (const dir of [state, elsewhere]) rmSync(dir, { recursive: true, force: true });
});

describe("demand 6: of ten leftovers of ours and more that look like them", () => {
  let nowMs = Date.now();
  let memory: string | undefined;
  const clock = systemClock();
  const ending = { engine: createDockerEnding({ socketPath }), processes: linuxProcesses(), clock, log };
  const strays = (): Strays =>
    new Strays(
      { graceMs: GRACE_MS, everyMs: 60_000, podFolders: [join(state, "pods")] },
      {
        objects,
        things: linuxThings(),
        end: (name) => endContainer({ name, graceSeconds: 1, ports: [] }, ending, signal),
        known: () => ({
          host: HOST,
          podState: (podId) => (podId === LIVE ? "live" : podId === OVER ? "over" : "unknown"),
          networks: new Set(),
          ownFolders: [state],
        }),
        memory: { load: () => memory, save: (text) => (memory = text) },
        lock: createKeyedLock(),
        clock: { ...clock, now: () => nowMs },
        log,
      },
    );
  const sweep = async (dryRun: boolean): Promise<Record<string, string[]>> => {
    const { strays: findings, problem } = await strays().sweep({ dryRun }, signal);
    expect(problem).toBeUndefined();
    // What other tests leave for a moment is not this one's.
    const mine = findings.filter(({ name }) => !name.startsWith("lium-compliance-"));
    const groups = Object.groupBy(mine, ({ outcome }) => outcome);
    return Object.fromEntries(
      Object.entries(groups).map(([outcome, group]) => [
        outcome,
        group.map(({ kind, name }) => `${kind} ${name}`).toSorted(),
      ]),
    );
  };

  it("exactly the ten go after the grace, a dry run changes nothing, and a younger one stays", async () => {
    const ten = (await tenStrays()).toSorted();
    const others = await lookAlikes();
    nowMs = Date.now();

    const early = await sweep(false);
    const afterEarly = await present();
    // The engine counts the age of containers in seconds.
    await until("the next second", 5_000, () => (Math.floor(Date.now() / 1000) * 1000 > nowMs ? true : undefined));
    const young = await container("young", { ...OURS, "lium.pod": newPodId() });
    nowMs += GRACE_MS;
    const before = await present();
    const dry = await sweep(true);
    const afterDry = await present();
    const due = await sweep(false);
    const after = await present();

    expect(early).toEqual({ young: ten, kept: expect.any(Array) });
    expect(afterEarly).toEqual([...ten, ...others].toSorted());
    expect(dry).toEqual({ "would-remove": ten, young: [young], kept: early["kept"] });
    expect(afterDry).toEqual(before);
    expect(due).toEqual({ removed: ten, young: [young], kept: early["kept"] });
    expect(after).toEqual([...others, young].toSorted());
    expect(early["kept"]).toEqual([`container ${RUN}-no-host`, `container ${RUN}-unreadable-runs`]);
    expect(readFileSync(join(state, "pods", LIVE, "file"), "utf8")).toBe("");
  });
});

strayObjectsCompliance(async () => ({
  objects,
  makeVolume: async (Name, Labels) => void (await docker.createVolume({ Name, Labels })),
  makeNetwork: async (Name, Labels) => void (await docker.createNetwork({ Name, Labels })),
  makeContainer: async (name, { network: NetworkMode, volume: Source }) => {
    const Mounts = [{ Type: "volume" as const, Source, Target: "/v" }];
    await docker.createContainer({ name, Image: image, Cmd: [...SLEEP], HostConfig: { NetworkMode, Mounts } });
  },
  removeContainer: (name) => runtime.remove(name, signal),
}));
