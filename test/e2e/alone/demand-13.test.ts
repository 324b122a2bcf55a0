/**
 * SSH on any image, as a renter has it: through the daemons, from the request to the login. What SSH itself does on each
 * of these images is in ssh.test.ts.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

import { percentiles } from "../../bench/percentiles.ts";
import { busyboxImage, debianImage, nonRootImage, ownSshdImage } from "../../support/images.ts";
import { type Live, startLive } from "../../support/live.ts";

const STARTS = 3;
const KINDS = [
  { name: "nothing but busybox", image: busyboxImage },
  { name: "Debian", image: debianImage },
  { name: "its own sshd", image: ownSshdImage },
  { name: "a USER that is not root", image: nonRootImage },
  { name: "a HOME that cannot be written", image: debianImage, readOnlyRoot: true },
];
const HOSTILE_KEY = 'x"; touch /tmp/p; "';

let live: Live;
beforeAll(async () => {
  await Promise.all([busyboxImage(), debianImage()]);
  live = await startLive();
}, 300_000);
afterAll(() => live[Symbol.asyncDispose]());

describe("SSH on an image", () => {
  it.each(KINDS)(
    "demand 13: with $name answers within 1.5 s of the start and shows the pod's environment",
    async (kind) => {
      const { image: build, readOnlyRoot = false } = kind;
      const image = await build();
      const env = { GREETING: `it's "quoted" $HOME` };
      const took: number[] = [];

      for (let start = 0; start < STARTS; start += 1) {
        const view = await live.rent({ image, readOnlyRoot, env, cpus: 0.5 });
        const { created = Number.NaN, sshReady = Number.NaN } = view.status.timelineMs;
        took.push(sshReady - created);
        const shown = await live.ssh(view, "env");
        await live.terminate(view.podId);
        expect(shown).toMatchObject({ exitCode: 0 });
        expect(shown.stdout.split("\n")).toContain(`GREETING=${env.GREETING}`);
      }

      expect(percentiles(took).p50Ms).toBeLessThanOrEqual(1_500);
    },
  );
});

describe("a renter's key", () => {
  it("demand 13: with a shell's words in it is refused, for a new pod and for one that runs", async () => {
    const image = await busyboxImage();
    const view = await live.rent({ image });
    const params = { podId: view.podId };

    const created = live.client.createPod({ body: { spec: { ...live.spec({ image }), sshKeys: [HOSTILE_KEY] } } });
    await expect(created).rejects.toMatchObject({ code: "invalid-request" });
    const added = live.client.addSshKey({ params, body: { key: HOSTILE_KEY } });
    await expect(added).rejects.toMatchObject({ code: "invalid-request" });
    // As a comment it is dropped or refused; it must not run either way.
    await live.client.addSshKey({ params, body: { key: `${live.publicKey} ${HOSTILE_KEY}` } }).catch(() => undefined);
    const inPod = await live.ssh(view, "test -e /tmp/p");
    await live.terminate(view.podId);

    expect(inPod.exitCode).toBe(1);
    expect(existsSync("/tmp/p")).toBe(false);
  });

  it("demand 13: that was removed opens nothing two seconds later, on every kind of image", async () => {
    const second = join(dirname(live.keyFile), "second");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", second]);
    const sshKeys = [live.publicKey, readFileSync(`${second}.pub`, "utf8").trim()];
    const fingerprint = execFileSync("ssh-keygen", ["-lf", `${second}.pub`], { encoding: "utf8" }).split(" ")[1] ?? "";

    for (const { image, readOnlyRoot = false } of KINDS) {
      const view = await live.rent({ image: await image(), readOnlyRoot, sshKeys, cpus: 0.5 });
      expect((await live.ssh(view, "true", { keyFile: second })).exitCode).toBe(0);

      const removedAt = performance.now();
      await live.client.removeSshKey({ params: { podId: view.podId }, query: { fingerprint } });
      await vi.waitFor(async () => expect((await live.ssh(view, "true", { keyFile: second })).exitCode).toBe(255), {
        timeout: 5_000,
        interval: 50,
      });
      const took = performance.now() - removedAt;

      expect(took).toBeLessThan(2_000);
      expect((await live.ssh(view, "true")).exitCode).toBe(0);
      await live.terminate(view.podId);
    }
  });
});
