/** The operator's commands, from arguments to exit code, against a real socket. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { describe, expect, it } from "vitest";

import { Capacity } from "../../protocol/capacity.ts";
import { AppError } from "../../protocol/errors.ts";
import { AgentStatus, HostView, Invitation } from "../../protocol/operator-api.ts";
import { GpuDetails, GpuSummary } from "../../protocol/operator-gpus.ts";
import { PodEvent, PodView } from "../../protocol/pod.ts";
import { hostId, podEvent } from "../support/agent-builders.ts";
import { agentStatus, capacity, hostView, logLine, podView, streamOf } from "../support/answers.ts";
import { startOperatorListener } from "../support/api-servers.ts";
import { podId } from "../support/builders.ts";
import { gpuDetails, gpuSummary } from "../support/gpus/told.ts";
import { cli } from "../support/run-cli.ts";

const ssh = { host: "203.0.113.7", port: 42_001, user: "root", hostKey: "ssh-ed25519 AAAA" } as const;
const pod = podView({ status: { ssh } });
const ESCAPE = "\u001B";

describe.each<[string, string[], Parameters<typeof startOperatorListener>[0], (json: unknown) => unknown]>([
  ["status", ["status"], { status: agentStatus }, (json) => AgentStatus.parse(json)],
  ["capacity", ["capacity"], { capacity }, (json) => Capacity.parse(json)],
  [
    "invite",
    ["invite", "--ttl", "10m"],
    { invite: async () => ({ token: "lium-join1.x", expiresAt: "2026-01-01T00:10:00.000Z" }) },
    (json) => Invitation.parse(json),
  ],
  [
    "hosts list",
    ["hosts", "list"],
    { listHosts: () => [hostView()] },
    (json) => HostView.array().parse((json as { hosts: unknown }).hosts),
  ],
  ["hosts show", ["hosts", "show", hostId(1)], { getHost: () => hostView() }, (json) => HostView.parse(json)],
  [
    "gpus list",
    ["gpus", "list"],
    { listGpus: () => [gpuSummary()] },
    (json) => GpuSummary.array().parse((json as { gpus: unknown }).gpus),
  ],
  ["gpus show", ["gpus", "show", "GPU-1xxx"], { getGpu: () => gpuDetails() }, (json) => GpuDetails.parse(json)],
  ["gpus metrics", ["gpus", "metrics"], { metrics: () => "lium_host_connected 1\n" }, (json) => json],
  [
    "pods list",
    ["pods", "list", "--all"],
    { listPods: () => [pod] },
    (json) => PodView.array().parse((json as { pods: unknown }).pods),
  ],
  ["pods show", ["pods", "show", podId(1)], { getPod: () => pod }, (json) => PodView.parse(json)],
  ["pods terminate", ["pods", "terminate", podId(1)], { changePod: async () => pod }, (json) => PodView.parse(json)],
  ["pods adopt", ["pods", "adopt", podId(1)], { adoptPod: async () => pod }, (json) => PodView.parse(json)],
])("lium-agent %s", (_, argv, prepared, parse) => {
  it("prints one JSON document with --json, and nothing else", async () => {
    await using agent = await startOperatorListener(prepared);

    const run = await cli([...argv, "--json", "--socket", agent.socketPath], { isTTY: true });

    expect(run).toMatchObject({ exitCode: 0, stderr: "" });
    expect(run.stdout).not.toContain(ESCAPE);
    parse(JSON.parse(run.stdout));
  });

  it("prints text without colour in a pipe, and finds the socket in the environment", async () => {
    await using agent = await startOperatorListener(prepared);

    const run = await cli(argv, { env: { LIUM_AGENT_SOCKET: agent.socketPath } });

    expect(run.exitCode).toBe(0);
    expect(run.stdout).not.toContain(ESCAPE);
    expect(() => JSON.parse(run.stdout) as unknown).toThrow(/JSON/);
  });
});

describe("a table", () => {
  it("of GPUs shows who has each, and of what is not known why", async () => {
    const away = gpuSummary({
      live: false,
      pods: [],
      power: { ...gpuSummary().power, drawWatts: { unavailable: "lost" } },
    });
    await using agent = await startOperatorListener({ listGpus: () => [gpuSummary(), away] });

    const { stdout } = await cli(["gpus", "list", "--socket", agent.socketPath]);

    const [, first, second] = stdout.split("\n").map((line) => line.split(/ {2,}/));
    expect(first).toEqual([
      "GPU-1xxx",
      "NVIDIA H100 80GB HBM3",
      hostId(1),
      "80 GiB",
      "57 %",
      "41 C",
      "311 W",
      "-",
      podId(1),
      "healthy",
      "1m",
    ]);
    expect(second?.slice(6)).toEqual(["(lost)", "-", "-", "healthy", "1m, host away"]);
  });

  it("of GPUs comes again and again with --watch, until Ctrl-C", async () => {
    const interrupt = new AbortController();
    let left = 3;
    await using agent = await startOperatorListener({
      listGpus: () => {
        if (--left === 0) interrupt.abort();
        return [gpuSummary()];
      },
    });

    const argv = ["gpus", "list", "--watch", "--json", "--socket", agent.socketPath];
    const { exitCode, stdout } = await cli(argv, { interrupted: interrupt.signal });

    expect(exitCode).toBe(0);
    expect(stdout.trim().split("\n")).toHaveLength(3);
  });

  it("of pods shows where, how, what, since when and the ssh line", async () => {
    await using agent = await startOperatorListener({
      listPods: () => [pod, podView({ podId: podId(2), claimed: false, live: false })],
    });

    const { stdout } = await cli(["pods", "list", "--socket", agent.socketPath]);

    expect(stdout.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
      ["POD", "HOST", "PHASE", "GPUS", "IMAGE", "AGE", "SSH"],
      [podId(1), hostId(1), "running", "-", "debian:12", "1m", "ssh -p 42001 root@203.0.113.7"],
      [podId(2), hostId(1), "running, unclaimed, host away", "-", "debian:12", "1m", "-"],
      [""],
    ]);
  });

  it("is coloured on a terminal, and without colour with NO_COLOR", async () => {
    await using agent = await startOperatorListener({ listPods: () => [pod] });
    const argv = ["pods", "list", "--socket", agent.socketPath];

    expect((await cli(argv, { isTTY: true })).stdout).toContain(ESCAPE);
    expect((await cli(argv, { isTTY: true, env: { NO_COLOR: "1" } })).stdout).not.toContain(ESCAPE);
  });

  it("of nothing says so", async () => {
    await using agent = await startOperatorListener({ listPods: () => [], listHosts: () => [] });

    expect((await cli(["pods", "list", "--socket", agent.socketPath])).stdout).toBe("No pods.\n");
    expect((await cli(["hosts", "list", "--socket", agent.socketPath])).stdout).toContain("lium-agent invite");
  });
});

describe("a stream", () => {
  it("of logs is a line for each line, and no line steers the terminal", async () => {
    await using agent = await startOperatorListener({ logs: () => streamOf(logLine("one"), logLine("\u001B[2Jtwo")) });

    const run = await cli([
      "pods",
      "logs",
      podId(1),
      "--follow",
      "--tail",
      "5",
      "--since",
      "1m",
      "--socket",
      agent.socketPath,
    ]);

    expect(run).toEqual({ exitCode: 0, stdout: "one\ntwo\n", stderr: "" });
    expect(agent.calls[0]?.args[2]).toEqual({ follow: true, tail: 5, since: "2026-01-01T00:00:00.000Z" });
  });

  it("of events is a JSON value on each line with --json", async () => {
    await using agent = await startOperatorListener({ events: () => streamOf(podEvent(1), podEvent(2)) });

    const run = await cli(["pods", "events", podId(1), "--after", "0", "--json", "--socket", agent.socketPath]);

    const events = run.stdout
      .trim()
      .split("\n")
      .map((line) => PodEvent.parse(JSON.parse(line)));
    expect(events.map(({ cursor }) => cursor)).toEqual([1, 2]);
  });

  it("that is interrupted ends quietly", async () => {
    const stop = new AbortController();
    await using agent = await startOperatorListener({
      async *events(_caller, _podId, _query, signal) {
        yield podEvent(1);
        stop.abort();
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });

    const run = await cli(["pods", "events", podId(1), "--follow", "--socket", agent.socketPath], {
      interrupted: stop.signal,
    });

    expect(run).toMatchObject({ exitCode: 130, stderr: "" });
  });
});

describe("the exit code", () => {
  it("is 1 for a refusal, and the reason is on stderr", async () => {
    const refuse = () => {
      throw new AppError("pod-not-found", { message: "There is no such pod." });
    };
    await using agent = await startOperatorListener({ getPod: refuse });
    const argv = ["pods", "show", podId(1), "--socket", agent.socketPath];

    const [text, json] = [await cli(argv), await cli([...argv, "--json"])];

    expect(text).toMatchObject({ exitCode: 1, stdout: "", stderr: expect.stringContaining("(pod-not-found)") });
    expect(json).toMatchObject({ exitCode: 1, stdout: "" });
    expect(JSON.parse(json.stderr)).toMatchObject({ error: { code: "pod-not-found", impact: "Nothing was changed." } });
  });

  it("is 3 when no agent listens", async () => {
    const run = await cli(["status", "--socket", "/nowhere/agent.sock"]);

    expect(run).toMatchObject({ exitCode: 3, stdout: "", stderr: expect.stringContaining("connection-failed") });
  });

  it.each([
    [["moon"]],
    [["pods", "show"]],
    [["pods", "list", "--moon"]],
    [["invite", "--ttl", "soon"]],
    [[]],
    [["pods"]],
  ])("is 2 for wrong usage: %j", async (argv) => {
    expect(await cli(argv)).toMatchObject({ exitCode: 2, stdout: "", stderr: expect.stringMatching(/\S/) });
  });

  it("is 2 for wrong usage with --json too, and the reason is JSON", async () => {
    const run = await cli(["invite", "--ttl", "soon", "--json"]);

    expect(run.exitCode).toBe(2);
    expect(JSON.parse(run.stderr)).toMatchObject({
      error: { code: "usage", message: expect.stringContaining("1h30m") },
    });
  });

  it.each([[["--help"]], [["pods", "list", "--help"]], [["as-validator", "rent", "--help"]]])(
    "is 0 for help, which lists the exit codes: %j",
    async (argv) => {
      const run = await cli(argv);

      expect(run).toMatchObject({ exitCode: 0, stderr: "" });
      expect(run.stdout).toContain("Exit codes: 0 done;");
    },
  );

  it("of the program itself is the same, and a pipe gets no colour", async () => {
    await using agent = await startOperatorListener({ listPods: () => [pod] });
    const main = fileURLToPath(new URL("../../agent/cli/main.ts", import.meta.url));
    const run = promisify(execFile);
    const env = { ...process.env, LIUM_AGENT_SOCKET: agent.socketPath, FORCE_COLOR: "1" };

    const { stdout } = await run(process.execPath, [main, "pods", "list"], { env });

    expect(stdout).toContain(podId(1));
    expect(stdout).not.toContain(ESCAPE);
    await expect(run(process.execPath, [main, "status", "--socket", "/nowhere"])).rejects.toMatchObject({ code: 3 });
  });
});
