/** The promises to renters and validators, through real daemons, a real engine and real ssh. */
import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

import Dockerode from "dockerode";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";

import { seal } from "../../../common/sealed-box.ts";
import { PodId } from "../../../protocol/ids.ts";
import { PodView } from "../../../protocol/pod.ts";
import { busyboxImage, debianImage } from "../../support/images.ts";
import { type Live, startLive } from "../../support/live.ts";

const docker = new Dockerode();
let live: Live;
let busybox: string;
let debian: string;

beforeAll(async () => {
  [busybox, debian] = await Promise.all([busyboxImage(), debianImage()]);
  live = await startLive();
}, 300_000);
afterAll(() => live[Symbol.asyncDispose]());

async function startedAt(view: PodView): Promise<string> {
  const { State } = await docker.getContainer(`lium-${view.podId}`).inspect();
  return State.Running ? State.StartedAt : `not running (${State.Status})`;
}

describe("a rented pod", () => {
  it("lets the renter in, says how long each stage took, and is gone after its end", async () => {
    const view = await live.rent({ image: debian, gpus: { count: 1 }, env: { GREETING: "hello 'world'" } });

    const login = await live.ssh(view, 'echo "$GREETING" && id -un');
    const { accepted, pulled, created, started, sshReady } = view.status.timelineMs;
    await live.terminate(view.podId);

    expect(login).toMatchObject({ exitCode: 0, stdout: "hello 'world'\nroot\n" });
    expect([accepted, pulled, created, started, sshReady].every((ms) => typeof ms === "number")).toBe(true);
    await expect(docker.getContainer(`lium-${view.podId}`).inspect()).rejects.toMatchObject({ statusCode: 404 });
  });

  it("refuses a removed key within two seconds and lets an added one in", async () => {
    const view = await live.rent({ image: busybox });
    const second = join(live.stack.agentDir, "second-key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", second]);
    const key = readFileSync(`${second}.pub`, "utf8").trim();
    const { podId } = view;

    await live.client.addSshKey({ params: { podId }, body: { key } });
    await vi.waitFor(async () => expect((await live.ssh(view, "true", { keyFile: second })).exitCode).toBe(0), 5_000);
    const fingerprint = execFileSync("ssh-keygen", ["-lf", `${second}.pub`], { encoding: "utf8" }).split(" ")[1] ?? "";
    const removedAt = performance.now();
    await live.client.removeSshKey({ params: { podId }, query: { fingerprint } });
    await vi.waitFor(async () => expect((await live.ssh(view, "true", { keyFile: second })).exitCode).toBe(255), 5_000);
    const took = performance.now() - removedAt;

    expect(took).toBeLessThan(2_000);
    expect((await live.ssh(view, "true")).exitCode).toBe(0);
    await live.terminate(podId);
  });

  it("refuses keys with quotes, semicolons or line breaks, and writes nothing", async () => {
    const view = await live.rent({ image: busybox });
    const file = join(live.stack.executorDir, "pods", view.podId, ".ssh", "authorized_keys");
    const before = readFileSync(file, "utf8");
    const params = { podId: view.podId };

    for (const tail of ['"; touch /tmp/p; "', "'", ";", "`id`", "\nssh-ed25519 AAAA"]) {
      const sent = live.client.addSshKey({ params, body: { key: `${live.publicKey}${tail}` } });
      await expect(sent).rejects.toMatchObject({ code: "invalid-request" });
    }

    expect(readFileSync(file, "utf8")).toBe(before);
    await live.terminate(view.podId);
  });

  it("stops, starts and restarts, with its disk kept", async () => {
    const view = await live.rent({ image: busybox });
    const params = { podId: view.podId };
    await live.ssh(view, "echo kept > ~/mark");

    await live.client.stopPod({ params });
    await live.untilPhase(view.podId, "stopped");
    await live.client.startPod({ params });
    const again = await live.untilPhase(view.podId, "running");
    expect((await live.ssh(again, "cat ~/mark")).stdout).toBe("kept\n");

    const before = await startedAt(view);
    await live.client.restartPod({ params });
    await vi.waitFor(async () => expect(await startedAt(view)).not.toBe(before), 10_000);
    await live.untilPhase(view.podId, "running");
    await live.terminate(view.podId);
  });

  it("shows what its command wrote, and how it ended", async () => {
    const { podId } = await live.client.createPod({
      body: {
        spec: live.spec({ image: busybox, command: ["/bin/busybox", "sh", "-c", "echo out; echo err >&2; exit 7"] }),
      },
    });

    const view = await live.untilPhase(podId, "exited");
    const lines: string[] = [];
    for await (const { stream, line } of live.client.podLogs({ params: { podId }, query: {} }))
      lines.push(`${stream} ${line}`);
    const codes: string[] = [];
    for await (const { code } of live.client.podEvents({ params: { podId }, query: {} })) codes.push(code);

    expect(view.status.exit).toMatchObject({ code: 7 });
    expect(lines.toSorted()).toEqual(["stderr err", "stdout out"]);
    expect(codes).toContain("exited");
    await live.terminate(podId);
  });

  it("keeps a named volume from one pod to the next", async () => {
    const volume = { name: "data", mountPath: "/data", sizeBytes: 64 * 2 ** 20 };
    const first = await live.rent({ image: busybox, volume });
    await live.ssh(first, "echo survived > /data/mark");
    await live.terminate(first.podId);

    const second = await live.rent({ image: busybox, volume });

    expect((await live.ssh(second, "cat /data/mark")).stdout).toBe("survived\n");
    await live.terminate(second.podId);
  });
});

describe("secrets", () => {
  it("appear in clear nowhere but inside the pod", async () => {
    const clear = `s3cr3t-${Math.random().toString(36).slice(2)}-${Date.now()}`;
    const { offers } = await live.client.capacity({});
    const sealedEnv = seal(Buffer.from(JSON.stringify({ API_TOKEN: clear })), offers[0]?.sealingKey ?? "");
    const view = await live.rent({ image: busybox, sealedEnv });

    const inside = await live.ssh(view, 'echo "$API_TOKEN"');
    const files = [live.stack.agentDir, live.stack.executorDir].flatMap(allFiles);
    const leaks = files.filter((file) => readFileSync(file, "latin1").includes(clear));
    const processes = execFileSync("ps", ["axeww", "-o", "args"], { encoding: "utf8", maxBuffer: 64 * 2 ** 20 });
    const inspected = JSON.stringify(await docker.getContainer(`lium-${view.podId}`).inspect());
    await live.terminate(view.podId);

    expect(inside.stdout).toBe(`${clear}\n`);
    expect(files.some((file) => file.endsWith("ledger.db"))).toBe(true);
    expect(leaks).toEqual([]);
    expect(inspected).not.toContain(clear);
    const outside = processes
      .split("\n")
      .filter((line) => line.includes(clear) && /node|lium-(agent|executor)/.test(line));
    expect(outside).toEqual([]);
  });
});

describe("registry credentials", () => {
  it("reach the registry, sealed on every step before", async () => {
    const heard: string[] = [];
    const registry = createServer((request, response) => {
      const { authorization } = request.headers;
      if (authorization !== undefined)
        heard.push(Buffer.from(authorization.replace("Basic ", ""), "base64").toString());
      const body = JSON.stringify({ errors: [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown" }] });
      if (authorization === undefined) response.writeHead(401, { "www-authenticate": 'Basic realm="test"' }).end();
      else response.writeHead(request.url === "/v2/" ? 200 : 404, { "content-type": "application/json" }).end(body);
    });
    await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", () => resolve()));
    const address = z.object({ port: z.number() }).parse(registry.address());
    const { offers } = await live.client.capacity({});
    const password = seal(Buffer.from("pass:w0rd"), offers[0]?.sealingKey ?? "");
    const image = `127.0.0.1:${address.port}/private/image:1`;

    const { podId } = await live.client.createPod({
      body: { spec: live.spec({ image, registryAuth: { username: "renter", password } }) },
    });
    const view = await live.client.getPod({ params: { podId }, query: { awaitPhase: "failed", awaitSeconds: 30 } });
    registry.close();

    expect(view.status).toMatchObject({ phase: "failed", reason: { code: "image-not-found" } });
    expect(new Set(heard)).toEqual(new Set(["renter:pass:w0rd"]));
  });
});

describe("kill -9", () => {
  it("of the executor stops no pod; twenty are adopted within five seconds, and an exit meanwhile is reported", async () => {
    const views = await Promise.all(Array.from({ length: 20 }, () => live.rent({ image: busybox })));
    const before = await Promise.all(views.map(startedAt));
    const [exited, ...others] = views;

    await live.stack.executor.kill();
    await docker.getContainer(`lium-${exited?.podId}`).kill();
    const began = performance.now();
    await live.stack.executor.start();
    await Promise.all(others.map(({ podId }) => live.untilPhase(podId, "running")));
    const took = performance.now() - began;

    expect(took).toBeLessThan(5_000);
    expect(await Promise.all(others.map(startedAt))).toEqual(before.slice(1));
    expect((await live.untilPhase(PodId.parse(exited?.podId), "exited")).status.exit).toMatchObject({ code: 137 });
    const ours = await docker.listContainers({ all: true, filters: { label: ["lium.pod"] } });
    expect(ours.filter(({ Names }) => views.some(({ podId }) => Names.includes(`/lium-${podId}`)))).toHaveLength(20);
    await Promise.all(views.map(({ podId }) => live.terminate(podId)));
  });

  it("of the executor at any moment of a start makes no second container, and the pod comes up", async () => {
    for (const delayMs of [0, 5, 20, 60, 120, 200, 280]) {
      const { podId } = await live.client.createPod({ body: { spec: live.spec({ image: busybox }) } });
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      await live.stack.executor.kill();
      await live.stack.executor.start();

      const view = await live.untilPhase(podId, "running");
      const first = await startedAt(view);
      expect((await live.ssh(view, "true")).exitCode, `killed ${delayMs} ms after the request`).toBe(0);
      expect(await startedAt(view)).toBe(first);
      await live.terminate(podId);
    }
  });

  it("of the agent loses no accepted request", async () => {
    const accepted: PodId[] = [];
    for (let round = 0; round < 3; round += 1) {
      const { podId } = await live.client.createPod({ body: { spec: live.spec({ image: busybox }) } });
      accepted.push(podId);
      await live.stack.agent.kill();
      await live.stack.agent.start();
      await live.stack.untilConnected();
    }

    for (const podId of accepted) {
      const view = await live.untilPhase(podId, "running");
      expect((await live.ssh(view, "true")).exitCode).toBe(0);
    }
    await Promise.all(accepted.map((podId) => live.terminate(podId)));
  });
});

describe("without the agent", () => {
  it("a lease still ends on the host", async () => {
    const lease = { expiresAt: new Date(Date.now() + 3_000).toISOString(), graceSeconds: 0 };
    const view = await live.rent({ image: busybox, lease });
    await live.stack.agent.kill();

    await vi.waitFor(
      () => expect(docker.getContainer(`lium-${view.podId}`).inspect()).rejects.toMatchObject({ statusCode: 404 }),
      { timeout: 10_000, interval: 100 },
    );
    await live.stack.agent.start();
    await live.stack.untilConnected();

    const ended = await live.untilPhase(view.podId, "ended");
    expect(ended.status.endReason).toBe("lease-ended");
  });
});

describe("an agent that lost its newest state", () => {
  it("reports the pods it does not know as unclaimed and leaves them alone, until they are adopted", async () => {
    await live.stack.agent.stop();
    const backup = join(live.stack.agentDir, "..", "agent-backup");
    cpSync(live.stack.agentDir, backup, { recursive: true, filter: (path) => !path.endsWith(".sock") });
    await live.stack.agent.start();
    await live.stack.untilConnected();
    const view = await live.rent({ image: busybox });
    const before = await startedAt(view);

    await live.stack.agent.stop();
    for (const name of readdirSync(live.stack.agentDir)) {
      if (/\.db(-wal|-shm)?$/.test(name)) rmSync(join(live.stack.agentDir, name));
    }
    for (const name of readdirSync(backup)) {
      if (/\.db(-wal|-shm)?$/.test(name)) cpSync(join(backup, name), join(live.stack.agentDir, name));
    }
    await live.stack.agent.start();
    await live.stack.untilConnected();
    const unclaimed = await vi.waitFor(async () => {
      const { pods } = z.object({ pods: z.array(PodView) }).parse(await live.stack.agentCommand(["pods", "list"]));
      const found = pods.find(({ podId }) => podId === view.podId);
      expect(found).toMatchObject({ claimed: false });
      return found;
    }, 20_000);
    const asOwner = await live.client.listPods({ query: {} });

    expect(unclaimed?.status.phase).toBe("running");
    expect(await startedAt(view)).toBe(before);
    expect(asOwner.pods.map(({ podId }) => podId)).not.toContain(view.podId);
    await live.stack.agentCommand(["pods", "adopt", view.podId]);
    await live.terminate(view.podId);
  });
});

function allFiles(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: "utf8" })
    .map((name) => join(dir, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}
