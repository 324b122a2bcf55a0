/** `lium-agent as-validator rent`, from arguments to exit code, against a real listener that checks its signatures. */
import { describe, expect, it } from "vitest";

import { generateSealingKey, openSealed } from "../../common/sealed-box.ts";
import { type PodStatus, PodView } from "../../protocol/pod.ts";
import type { CreatePod } from "../../protocol/validator-api.ts";
import { hostId } from "../support/agent-builders.ts";
import { capacity, podView } from "../support/answers.ts";
import { OTHER_SSH_KEY, podId, SSH_KEY, T0 } from "../support/builders.ts";
import type { CliRun, CliWorld } from "../support/run-cli.ts";
import { startValidatorCli } from "../support/validator-cli.ts";

type Agent = Awaited<ReturnType<typeof startValidatorCli>>;

const ssh = { host: "203.0.113.7", port: 42_001, user: "root", hostKey: "ssh-ed25519 AAAA" } as const;
const at = (status: Partial<PodStatus>): PodView => podView({ status });
const running = at({ ssh });

function rent({ run, files }: Agent, options: readonly string[], world?: CliWorld): Promise<CliRun> {
  return run(["rent", "--image", "debian:12", "--ssh-key", files.key, "--lease", "1h", ...options], world);
}

function askedFor(calls: { args: readonly unknown[] }[]): CreatePod {
  return calls[0]?.args[1] as CreatePod;
}

describe("as-validator rent", () => {
  it("asks for exactly what the options say", async () => {
    const agent = await startValidatorCli({ createPod: async () => running });
    const options = `--gpus 2 --gpu-model H100 --cpus 1.5 --memory 4GiB --shm 1GiB --disk 20GB --port 8080 --port 53/udp
      --env A=1=2 --env HOME --volume data:/data --ssh-key ${agent.files.otherKey} --grace 5m --host ${hostId(1)}
      --read-only --entrypoint /bin/sh --entrypoint -c -- sleep --json`.split(/\s+/);

    const run = await rent(agent, options, { env: { HOME: "/home/me" } });

    expect(run.exitCode).toBe(0);
    expect(askedFor(agent.calls)).toMatchObject({
      hostId: hostId(1),
      spec: {
        image: "debian:12",
        entrypoint: ["/bin/sh", "-c"],
        command: ["sleep", "--json"],
        env: { A: "1=2", HOME: "/home/me" },
        gpus: { count: 2, model: "H100" },
        cpus: 1.5,
        memoryBytes: 4 * 2 ** 30,
        shmBytes: 2 ** 30,
        diskBytes: 2e10,
        readOnlyRoot: true,
        ports: [
          { containerPort: 8080, protocol: "tcp" },
          { containerPort: 53, protocol: "udp" },
        ],
        volume: { name: "data", mountPath: "/data" },
        sshKeys: [SSH_KEY, OTHER_SSH_KEY],
        lease: { expiresAt: new Date(T0 + 3_660_000).toISOString(), graceSeconds: 300 },
      },
    });
  });

  it("waits until the pod runs, and its last line is the ssh line", async () => {
    const views = [at({ phase: "pulling" }), at({ phase: "starting" }), running];
    const agent = await startValidatorCli({
      createPod: async () => at({ phase: "pending" }),
      awaitPhase: async () => views.shift() ?? running,
    });

    const run = await rent(agent, []);

    expect(run).toMatchObject({ exitCode: 0, stdout: "ssh -p 42001 root@203.0.113.7\n" });
    expect(agent.calls.map(({ name }) => name)).toEqual(["createPod", "awaitPhase", "awaitPhase", "awaitPhase"]);
  });

  it("draws how far the pull is on a terminal, and takes the drawing back", async () => {
    const pulling = at({ phase: "pulling", pull: { doneBytes: 3 * 2 ** 29, totalBytes: 2 ** 31 } });
    const views = [pulling, at({ phase: "starting" }), running];
    const agent = await startValidatorCli({
      createPod: async () => at({ phase: "pending" }),
      awaitPhase: async () => views.shift() ?? running,
    });

    const run = await rent(agent, [], { isTTY: true });

    expect(run.stderr).toContain("\r\u001B[Kpulling [==================      ] 75% of 2 GiB");
    expect(run.stderr.endsWith("\r\u001B[K")).toBe(true);
    expect(run.stdout).toBe("ssh -p 42001 root@203.0.113.7\n");
  });

  it("with --no-wait ends as soon as the pod is accepted", async () => {
    const agent = await startValidatorCli({ createPod: async () => at({ phase: "pending" }) });

    expect(await rent(agent, ["--no-wait"])).toMatchObject({ exitCode: 0, stdout: `${podId(1)}\n` });
  });

  it("with --json prints the pod, also one that failed, whose code is the error", async () => {
    const reason = { code: "image-not-found", message: "There is no such image." };
    const good = await startValidatorCli({ createPod: async () => running });
    const bad = await startValidatorCli({ createPod: async () => at({ phase: "failed", reason }) });

    const [ran, failed] = [await rent(good, ["--json"]), await rent(bad, ["--json"])];

    expect(ran).toMatchObject({ exitCode: 0, stderr: "" });
    expect(PodView.parse(JSON.parse(ran.stdout)).status.phase).toBe("running");
    expect(failed.exitCode).toBe(1);
    expect(PodView.parse(JSON.parse(failed.stdout)).status.phase).toBe("failed");
    expect(JSON.parse(failed.stderr)).toMatchObject({
      error: { code: "image-not-found", details: { podId: podId(1) } },
    });
  });

  it.each(["exited", "stopped", "ending"] as const)("does not wait for a pod that is %s", async (phase) => {
    const agent = await startValidatorCli({ createPod: async () => at({ phase }) });

    expect(await rent(agent, [])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("(pod-ended)"),
    });
  });

  it("gives up after --timeout and says that the pod goes on", async () => {
    const agent = await startValidatorCli({
      createPod: async () => at({ phase: "pending" }),
      awaitPhase: (_caller, _podId, _phase, signal) =>
        new Promise((resolve) => signal.addEventListener("abort", () => resolve(at({ phase: "pulling" })))),
    });

    const run = await rent(agent, ["--timeout", "0s"]);

    expect(run).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("it goes on") });
  });

  it("seals secrets to the host that it asks for, and sends them nowhere in clear", async () => {
    const key = generateSealingKey();
    const { at: now, offers } = capacity();
    const small = offers.map((offer) => ({ ...offer, hostId: hostId(2), gpus: [] }));
    const offer = offers.map((one) => ({ ...one, sealingKey: key.publicKey }));
    const agent = await startValidatorCli({
      capacity: () => ({ at: now, offers: [...small, ...offer] }),
      createPod: async () => running,
    });

    const secrets = ["--secret-env", "TOKEN=hunter2", "--secret-env", "KEY"];
    const run = await rent(agent, ["--gpus", "1", ...secrets], { env: { KEY: "from here" } });

    expect(run.exitCode).toBe(0);
    const [, { args }] = agent.calls as [unknown, { args: readonly unknown[] }];
    const { hostId: host, spec } = args[1] as CreatePod;
    expect(JSON.stringify(args)).not.toContain("hunter2");
    expect(host).toBe(hostId(1));
    if (spec.sealedEnv === undefined) throw new Error("nothing was sealed");
    expect(JSON.parse(Buffer.from(openSealed(spec.sealedEnv, key)).toString())).toEqual({
      TOKEN: "hunter2",
      KEY: "from here",
    });
  });

  it("with secrets and no host that fits is refused before anything is sent", async () => {
    const agent = await startValidatorCli({ capacity });

    const run = await rent(agent, ["--gpus", "9", "--secret-env", "A=1"]);

    expect(run).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("no-capacity") });
    expect(agent.calls.map(({ name }) => name)).toEqual(["capacity"]);
  });

  it.each([
    ["--memory", "4G"],
    ["--lease", "1 hour"],
    ["--port", "http"],
    ["--env", "1A=x"],
    ["--volume", "data"],
    ["--gpus", "-1"],
    ["--cpus", "many"],
  ])("with %s %s is wrong usage", async (option, value) => {
    const agent = await startValidatorCli({});

    expect(await rent(agent, [option, value])).toMatchObject({ exitCode: 2 });
    expect(agent.calls).toEqual([]);
  });

  it.each([
    ["a key file that is not there", ["--ssh-key", "/nowhere.pub"]],
    ["a variable that is not set", ["--env", "NOT_SET"]],
  ])("with %s says so", async (_, options) => {
    const agent = await startValidatorCli({});

    expect(await rent(agent, options)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("(invalid-request)"),
    });
  });
});
