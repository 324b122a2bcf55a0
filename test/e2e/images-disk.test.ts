/** A real engine on a small disk: what it takes for a name, and what becomes of its images when the disk fills up. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { systemClock } from "../../common/clock.ts";
import type { LeftoverSum } from "../../executor/docker/image-store.ts";
import { createDiskUsage } from "../../executor/images/disk-usage.ts";
import { type DiskUsage, percentOf } from "../../executor/images/gc.ts";
import type { Images } from "../../executor/images/images.ts";
import { until } from "../support/arena/wait.ts";
import { ACCEPTED_REFERENCES, REFUSED_REFERENCES } from "../support/image-references.ts";
import { FaultyRegistry } from "../support/registry/faulty-registry.ts";
import { makeTestImage, type TestImageInput } from "../support/registry/image-content.ts";
import { realImages } from "../support/registry/real-images.ts";
import { SmallEngine } from "../support/registry/small-engine.ts";

const MB = 1_000_000;
const DISK = { bytes: 320 * MB, inodes: 2_400 };
const signal = AbortSignal.timeout(600_000);
const asRenter = { owner: "renter", signal };
/** Looks only when it is told to; what was used a moment ago may go. */
const GC = { everySeconds: 3_600, minAgeSeconds: 0 };

let registry: FaultyRegistry;
let engine: SmallEngine;

beforeAll(async () => {
  registry = await new FaultyRegistry().listen();
  engine = await SmallEngine.start(DISK);
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

async function serve(name: string, content: Omit<TestImageInput, "name"> = { noiseBytes: [20 * MB] }): Promise<string> {
  return registry.add(await makeTestImage({ name, ...content }));
}

function measure(): Promise<DiskUsage | undefined> {
  return createDiskUsage(engine.rootDir, systemClock())(signal);
}

async function percentUsed(kind: "bytes" | "inodes"): Promise<number> {
  const usage = await measure();
  const fill = usage?.[kind];
  if (fill === undefined) throw new Error("the disk cannot be measured");
  return percentOf(fill);
}

/** Pulls image after image until so much of the disk is in use. Gives their names in that order. */
async function fillUp(
  images: Images,
  kind: "bytes" | "inodes",
  content: Omit<TestImageInput, "name">,
): Promise<string[]> {
  const names: string[] = [];
  while ((await percentUsed(kind)) <= 85) {
    const name = await serve(`${kind}/${names.length}`, content);
    await images.ensure(name, asRenter);
    names.push(name);
  }
  return names;
}

async function namesHere(): Promise<string[]> {
  return (await engine.store.list(signal)).flatMap(({ references }) => references);
}

function leftovers(): Promise<LeftoverSum> {
  const repositories = new Set([`${registry.address}/cut`]);
  return engine.store.clearLeftovers({ sinceMs: Date.now() + 1_000, repositories, dryRun: true }, signal);
}

describe("demand 11: references as the engine takes them", () => {
  it("demand 11: the engine understands and prints each as we do, and refuses what we refuse", async () => {
    const name = await serve("named", { noiseBytes: [] });
    await engine.store.pull(name, { onProgress: () => undefined, inactivityMs: 60_000, signal });
    const { id } = (await engine.store.image(name, signal)) ?? { id: "" };
    const accepted = ACCEPTED_REFERENCES.filter(([text]) => !text.includes("@"));
    const refused = REFUSED_REFERENCES.filter(([, text]) => text !== "");

    const printed: (string | undefined)[] = [];
    for (const [text] of accepted) printed.push(await named(id, text, name));
    const outcomes = new Set<string | undefined>();
    for (const [, text] of refused) outcomes.add(await named(id, text, name));

    expect(accepted.length + refused.length).toBeGreaterThan(60);
    expect(printed).toEqual(accepted.map(([, , familiar]) => familiar));
    expect([...outcomes]).toEqual([undefined]);
    await engine.store.remove(name, signal);
  });
});

/** The name as the engine prints it after an image was given it; undefined when it refuses it. */
async function named(id: string, text: string, knownAs: string): Promise<string | undefined> {
  const image = engine.docker.getImage(id);
  try {
    await image.tag({ repo: text });
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 400) return undefined;
    throw error;
  }
  const [tag] = (await image.inspect()).RepoTags.filter((one) => one !== knownAs);
  await engine.docker.getImage(tag ?? "").remove();
  return tag;
}

describe("demand 12: a disk that fills up", () => {
  it("demand 12: beyond 85 % the least recently used images go until < 75 %; running, stopped, pinned, in flight and others' survive", async () => {
    const [running, stopped, pinned, theirs] = await Promise.all(
      ["running", "stopped", "pinned", "theirs"].map((name) => serve(name)),
    );
    const config = { pinned: [pinned ?? ""], gc: GC };
    const { images, collector } = await realImages({ store: engine.store, config, engineRootDir: engine.rootDir });
    for (const name of [running, stopped, pinned]) await images.ensure(name ?? "", asRenter);
    await engine.store.pull(theirs ?? "", { onProgress: () => undefined, inactivityMs: 60_000, signal });
    const containers = [running, stopped].map((Image) =>
      engine.docker.createContainer({ Image: Image ?? "", HostConfig: { NetworkMode: "none" } }),
    );
    await (await containers[0])?.start();
    await Promise.all(containers);
    const names = await fillUp(images, "bytes", { noiseBytes: [20 * MB] });
    const [oldest = "", second = ""] = names;
    await images.ensure(oldest, asRenter);
    const flying = await serve("flying", { noiseBytes: [MB] });
    registry.layerFault = { kind: "trickle", chunkBytes: 1_000, everyMs: 50 };
    const flight = new AbortController();
    const inFlight = images.ensure(flying, { owner: "renter", signal: flight.signal });
    await until("the download", 10_000, () => registry.sending.length > 0 || undefined);

    const told = await collector.collect({ dryRun: true, signal });
    const before = await namesHere();
    const { removed } = await collector.collect({ dryRun: false, signal });

    const went = removed.map(({ names: [name = ""] }) => name);
    const here = await namesHere();
    expect(before).toEqual(expect.arrayContaining(names));
    expect(went).toEqual(names.slice(1, 1 + went.length));
    expect(went).toContain(second);
    expect(told.removed.length).toBeGreaterThan(0);
    expect(here).toEqual(expect.arrayContaining([running, stopped, pinned, theirs, oldest]));
    expect(here).not.toEqual(expect.arrayContaining(went));
    expect(await percentUsed("bytes")).toBeLessThan(75);
    expect(images.pulling.map(({ name }) => name)).toEqual([flying]);
    flight.abort();
    await expect(inFlight).rejects.toThrow("aborted");
    registry.layerFault = undefined;
  });

  it("demand 12: so does one that runs out of inodes", async () => {
    const { images, collector } = await realImages({
      store: engine.store,
      config: { gc: GC },
      engineRootDir: engine.rootDir,
    });
    const names = await fillUp(images, "inodes", { noiseBytes: [], emptyFiles: 300 });

    const { removed } = await collector.collect({ dryRun: false, signal });

    expect(removed.flatMap((image) => image.names)).toEqual(expect.arrayContaining(names.slice(0, 1)));
    expect(await namesHere()).toContain(names.at(-1));
    expect(await percentUsed("inodes")).toBeLessThan(75);
  });

  it("demand 12: layers go that a pull left behind when the engine died, and those of images and pulls stay", async () => {
    const { images, collector } = await realImages({
      store: engine.store,
      config: { gc: GC },
      engineRootDir: engine.rootDir,
    });
    const kept = await serve("kept", { noiseBytes: [2 * MB] });
    await images.ensure(kept, asRenter);
    const cut = await makeTestImage({ name: "cut", noiseBytes: [3 * MB, 4 * MB, 5 * MB] });
    registry.layerFault = { kind: "stall", afterBytes: 3.5 * MB };
    const pull = images.ensure(registry.add(cut), asRenter);
    await until("the first layers", 20_000, () => (registry.sending.length === 2 ? true : undefined));
    await until("the first layer to be unpacked", 20_000, async () => (await leftovers()).layers === 1 || undefined);
    await Promise.all([expect(pull).rejects.toMatchObject({ code: "engine-unavailable" }), engine.crash()]);
    registry.layerFault = undefined;

    const before = await leftovers();
    await fillUp(images, "bytes", { noiseBytes: [20 * MB] });
    const told = await collector.collect({ dryRun: true, signal });
    const done = await collector.collect({ dryRun: false, signal });

    expect(before).toEqual({ layers: 1, sizeBytes: 3 * MB });
    expect(told.leftovers).toEqual(before);
    expect(done.leftovers).toEqual(before);
    expect(await leftovers()).toEqual({ layers: 0, sizeBytes: 0 });
    expect((await engine.store.list(signal)).every(({ digests }) => digests.length > 0)).toBe(true);
    expect((await engine.store.inUse(signal)).size).toBe(2);
  });

  it("demand 12: at 95 % new pods are refused with disk-low, and taken again when there is room", async () => {
    const config = { gc: { ...GC, everySeconds: 0.2, minAgeSeconds: 3_600 } };
    const { collector } = await realImages({ store: engine.store, config, engineRootDir: engine.rootDir });
    const before = collector.pressure();
    const { bytes } = (await measure()) ?? { bytes: { used: 0, total: 0 } };
    const ballast = join(engine.rootDir, "ballast");

    await writeFile(ballast, Buffer.alloc(Math.round(bytes.total * 0.96 - bytes.used)));
    const reason = await until("the host to refuse", 5_000, () => collector.pressure());
    await rm(ballast);
    await until("the host to take pods again", 5_000, () => (collector.pressure() === undefined ? true : undefined));

    expect(before).toBeUndefined();
    expect(reason).toMatchObject({ code: "disk-low", message: expect.stringMatching(/9[56] % full/) });
  });

  it("a pull that does not fit is disk-low, and leaves nothing of it", async () => {
    const { images } = await realImages({ store: engine.store, config: { gc: GC }, engineRootDir: engine.rootDir });
    const before = await percentUsed("bytes");

    const asked = images.ensure(await serve("huge", { noiseBytes: [DISK.bytes] }), asRenter);

    await expect(asked).rejects.toMatchObject({ code: "disk-low" });
    expect(await percentUsed("bytes")).toBeCloseTo(before, 0);
  });
});
