/** Pulling images with the real engine: from the registry that the world uses, and from one that fails. */
import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import type { PullProgress } from "../../executor/images/progress.ts";
import { until } from "../support/arena/wait.ts";
import { DebianRegistry } from "../support/registry/debian-registry.ts";
import { type Fault, FaultyRegistry } from "../support/registry/faulty-registry.ts";
import { makeTestImage, type TestImage } from "../support/registry/image-content.ts";
import { machineImages, removeAtEnd } from "../support/registry/image-store.ts";
import { realImages } from "../support/registry/real-images.ts";

const MB = 1_000_000;
const RENTER = { owner: "renter" };
const signal = AbortSignal.timeout(600_000);
const asRenter = { ...RENTER, signal };
/** Slow enough that everything can happen meanwhile: 60 MB at this pace take ten minutes. */
const SLOWLY: Fault = { kind: "trickle", chunkBytes: 10_000, everyMs: 100 };

let registry: FaultyRegistry;
let made = 0;

beforeAll(async () => {
  registry = await new FaultyRegistry().listen();
});
afterAll(() => registry[Symbol.asyncDispose]());

/** An image in the faulty registry; its noise comes as `fault` says. */
async function served(...noiseBytes: readonly number[]): Promise<{ image: TestImage; reference: string }> {
  made += 1;
  const image = await makeTestImage({ name: `images/${made}`, noiseBytes });
  const reference = registry.add(image);
  removeAtEnd(reference);
  onTestFinished(() => {
    registry.layerFault = undefined;
    registry.manifestFault = undefined;
    registry.accounts = undefined;
  });
  return { image, reference };
}

function noiseOf({ layers }: TestImage): string {
  return layers[1] ?? "";
}

describe("demand 10: one download for all who ask", () => {
  it("demand 10: five simultaneous pods of one image make one download, from a real registry", async () => {
    await using real = await DebianRegistry.start();
    const image = await makeTestImage({ name: "shared/image", noiseBytes: [20 * MB, 5 * MB] });
    const reference = await real.push(image);
    removeAtEnd(reference);
    const { images } = await realImages({ store: machineImages() });
    const told: PullProgress[][] = [[], [], [], [], []];

    const given = await Promise.all(
      told.map((mine) => images.ensure(reference, { ...asRenter, onProgress: (progress) => mine.push(progress) })),
    );

    expect(new Set(given.map(({ id }) => id)).size).toBe(1);
    expect(image.layers.slice(1).map((layer) => real.downloads(layer))).toEqual([1, 1]);
    const ends = told.map((mine) => mine.at(-1));
    expect(new Set(ends.map((end) => JSON.stringify(end))).size).toBe(1);
    expect(ends[0]?.doneBytes).toBe(ends[0]?.totalBytes);
    expect(ends[0]?.totalBytes).toBeGreaterThan(25 * MB);
  });

  it("demand 10: so do two names of one image, and owners with credentials of their own", async () => {
    const { image, reference } = await served(8 * MB);
    const other = registry.add(image, "other");
    removeAtEnd(other);
    const accounts = ["alice", "bob"].map((username) => ({ username, password: "p" }));
    registry.accounts = accounts;
    registry.layerFault = { ...SLOWLY, chunkBytes: MB };
    const { images } = await realImages({ store: machineImages() });

    const asked = accounts.flatMap((auth) => [reference, other].map((name) => ({ name, owner: auth.username, auth })));
    await Promise.all(asked.map(({ name, ...access }) => images.ensure(name, { ...access, signal })));
    const stranger = images.ensure(reference, { owner: "mallory", signal });

    await expect(stranger).rejects.toMatchObject({ code: "image-auth-failed" });
    expect(registry.downloads(noiseOf(image))).toBe(1);
  });
});

describe("demand 10: no limit but inactivity", () => {
  it("demand 10: a registry that trickles succeeds, also when the engine says nothing for long", async () => {
    const { reference } = await served(60 * MB);
    // At 10 kB/s the engine speaks every 50 s, which is 25 times the limit.
    registry.layerFault = { kind: "trickle", chunkBytes: 1_000, everyMs: 100, forMs: 8_000 };
    const { images, logged } = await realImages({ store: machineImages(), config: { inactivitySeconds: 2 } });

    const began = performance.now();
    await images.ensure(reference, asRenter);

    expect(performance.now() - began).toBeGreaterThan(8_000);
    expect(logged).toEqual([]);
  });

  it("demand 10: one that stalls fails with image-pull-stalled", async () => {
    const { reference } = await served(2 * MB);
    registry.layerFault = { kind: "stall", afterBytes: MB };
    const { images } = await realImages({ store: machineImages(), config: { inactivitySeconds: 2 } });

    const began = performance.now();
    await expect(images.ensure(reference, asRenter)).rejects.toMatchObject({ code: "image-pull-stalled" });

    expect(performance.now() - began).toBeGreaterThan(2_000);
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});

describe("demand 10: pulling ahead of time", () => {
  it("demand 10: stops within 1 s of a renter's request for another image, and goes on later; the engine always answers", async () => {
    const ahead = await served(60 * MB);
    const rented = await served(3 * MB);
    registry.layerFault = SLOWLY;
    const { images } = await realImages({ store: machineImages(), config: { prePull: [ahead.reference] } });
    await until("the pull ahead of time", 10_000, () => registry.sending.includes(noiseOf(ahead.image)) || undefined);
    registry.layerFault = undefined;
    const answers = slowestAnswer();

    const began = performance.now();
    const asked = images.ensure(rented.reference, asRenter);
    await until("it to stop", 5_000, () => (registry.sending.includes(noiseOf(ahead.image)) ? undefined : true));
    const stoppedMs = performance.now() - began;
    await asked;
    await until("it to go on", 30_000, async () => images.local(ahead.reference, RENTER, signal));

    expect(stoppedMs).toBeLessThan(1_000);
    expect(registry.downloads(noiseOf(ahead.image))).toBe(2);
    expect(await answers.stop()).toBeLessThan(1_000);
  });
});

/** Asks the engine all the time whether it is there. */
function slowestAnswer(): { stop(): Promise<number> } {
  const docker = new Docker();
  const stopping = new AbortController();
  async function ask(): Promise<number> {
    let slowest = 0;
    while (!stopping.signal.aborted) {
      const began = performance.now();
      await docker.ping();
      slowest = Math.max(slowest, performance.now() - began);
    }
    return slowest;
  }
  const asking = ask();
  return {
    stop: () => {
      stopping.abort();
      return asking;
    },
  };
}

describe("a renter who leaves in the middle of a pull", () => {
  it("is let go at once, and the engine downloads nothing more within 5 s", async () => {
    const { image, reference } = await served(60 * MB);
    registry.layerFault = SLOWLY;
    const { images } = await realImages({ store: machineImages() });
    const leave = new AbortController();
    const asked = images.ensure(reference, { ...RENTER, signal: leave.signal });
    await until("the download", 10_000, () => registry.sending.includes(noiseOf(image)) || undefined);

    const began = performance.now();
    leave.abort(new Error("terminated"));
    await expect(asked).rejects.toThrow("terminated");
    const letGoMs = performance.now() - began;
    await until("the connection to end", 5_000, () => (registry.sending.includes(noiseOf(image)) ? undefined : true));

    expect(letGoMs).toBeLessThan(100);
    expect(images.pulling).toEqual([]);
    expect(await images.local(reference, RENTER, signal)).toBeUndefined();
  });
});

describe("a registry that fails", () => {
  it.each<[string, "manifestFault" | "layerFault", Fault]>([
    ["too many requests", "manifestFault", { kind: "status", status: 429, retryAfterSeconds: 2, times: 2 }],
    ["an error of its own", "manifestFault", { kind: "status", status: 500, times: 2 }],
    ["an error of its own for a layer", "layerFault", { kind: "status", status: 500, times: 1 }],
    ["a connection that breaks in the middle of a layer", "layerFault", { kind: "reset", afterBytes: MB, times: 1 }],
  ])("now and then with %s is asked until it answers", async (_, place, fault) => {
    const { reference } = await served(2 * MB);
    registry[place] = fault;
    const { images } = await realImages({ store: machineImages() });

    expect(await images.ensure(reference, asRenter)).toMatchObject({ id: expect.stringContaining("sha256:") });
  });

  it.each<[string, "manifestFault" | "layerFault", Fault]>([
    ["image-not-found", "manifestFault", { kind: "missing" }],
    ["image-digest-mismatch", "layerFault", { kind: "wrong-digest" }],
  ])("for good is %s at once", async (code, place, fault) => {
    const { reference } = await served(MB);
    registry[place] = fault;
    const { images, logged } = await realImages({ store: machineImages() });

    await expect(images.ensure(reference, asRenter)).rejects.toMatchObject({ code });

    expect(logged).toEqual([]);
  });

  it("with another manifest than the digest that was asked for is image-digest-mismatch", async () => {
    const { image } = await served(MB);
    registry.manifestFault = { kind: "wrong-digest" };
    const { images } = await realImages({ store: machineImages() });

    const asked = images.ensure(`${registry.address}/${image.name}@${image.digest}`, asRenter);

    await expect(asked).rejects.toMatchObject({ code: "image-digest-mismatch" });
  });
});

describe("demand 11: references", () => {
  it("demand 11: localhost:PORT/x is pulled from there, by tag, by digest, and by both", async () => {
    const image = await makeTestImage({ name: "x", tag: "latest", noiseBytes: [1_000] });
    registry.add(image);
    const place = registry.address.replace("127.0.0.1", "localhost");
    const digest = `${place}/x@${image.digest}`;
    const { images } = await realImages({ store: machineImages() });
    removeAtEnd(`${place}/x:latest`, digest);

    const byDigest = await images.ensure(digest, asRenter);
    const byTag = await images.ensure(`${place}/x`, asRenter);
    const byBoth = await images.ensure(`${place}/x:latest@${image.digest}`, asRenter);

    expect(byTag.id).toBe(byDigest.id);
    expect(byBoth.id).toBe(byDigest.id);
  });
});
