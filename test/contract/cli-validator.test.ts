/** `lium-agent as-validator`, from arguments to exit code, against a real listener that checks its signatures. */
import { writeFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import type { PodChange } from "../../agent/fleet/use-cases.ts";
import { type PodStatus, PodView } from "../../protocol/pod.ts";
import { podEvent } from "../support/agent-builders.ts";
import { capacity, logLine, podView, streamOf } from "../support/answers.ts";
import { AGENT, MALLORY } from "../support/api-servers.ts";
import { podId, SSH_KEY, T0 } from "../support/builders.ts";
import { cli } from "../support/run-cli.ts";
import { startValidatorCli } from "../support/validator-cli.ts";

type Files = Awaited<ReturnType<typeof startValidatorCli>>["files"];

const ssh = { host: "203.0.113.7", port: 42_001, user: "root", hostKey: "ssh-ed25519 AAAA" } as const;
const at = (status: Partial<PodStatus>): PodView => podView({ status });
const running = at({ ssh });
const lease = { expiresAt: new Date(T0 + 3_660_000).toISOString(), graceSeconds: 300 };
const fingerprint = `SHA256:${"a".repeat(43)}`;

describe("as-validator", () => {
  it.each<[string, (files: Files) => string[], PodChange]>([
    ["stop", () => ["stop", podId(1)], { do: "stop" }],
    ["start", () => ["start", podId(1)], { do: "start" }],
    ["restart", () => ["restart", podId(1)], { do: "restart" }],
    ["terminate", () => ["terminate", podId(1)], { do: "terminate", reason: "requested" }],
    ["extend", () => ["extend", podId(1), "--lease", "1h"], { do: "replace-lease", lease }],
    ["keys add", ({ key }) => ["keys add", podId(1), key], { do: "add-key", key: SSH_KEY }],
    ["keys remove", () => ["keys remove", podId(1), fingerprint], { do: "remove-key", fingerprint }],
  ])("%s asks for the change and prints the pod", async (_, args, change) => {
    const agent = await startValidatorCli({ changePod: async () => running });

    const run = await agent.run([...args(agent.files), "--json"]);

    expect(PodView.parse(JSON.parse(run.stdout)).podId).toBe(podId(1));
    expect(agent.calls[0]?.args).toEqual([{ kind: "owner", hotkey: agent.caller.ss58 }, podId(1), change]);
  });

  it("terminate --wait waits for the end, and prints the pod as it ended", async () => {
    const agent = await startValidatorCli({
      changePod: async () => at({ phase: "ending" }),
      awaitPhase: async () => at({ phase: "ended", endReason: "requested" }),
    });

    const run = await agent.run(["terminate", podId(1), "--wait", "--json"]);

    expect(run.exitCode).toBe(0);
    expect(PodView.parse(JSON.parse(run.stdout)).status.phase).toBe("ended");
  });

  it("capacity, pods, show, logs and events print what the agent says", async () => {
    const agent = await startValidatorCli({
      capacity,
      listPods: () => [running],
      getPod: () => running,
      logs: () => streamOf(logLine("one")),
      events: () => streamOf(podEvent(1)),
    });

    const [offers, pods, show] = [
      await agent.run(["capacity"]),
      await agent.run(["pods"]),
      await agent.run(["show", podId(1)]),
    ];
    const [logs, events] = [await agent.run(["logs", podId(1)]), await agent.run(["events", podId(1)])];

    expect(offers.stdout).toContain("1 of 2");
    expect(pods.stdout).toContain("ssh -p 42001 root@203.0.113.7");
    expect(show.stdout).toMatch(/^phase +running since /m);
    expect(logs.stdout).toBe("one\n");
    expect(events.stdout).toBe("1  2026-01-01T00:00:00.000Z  running  The event 1.\n");
  });

  it("signs for the receiver that it was given, and asks the agent otherwise", async () => {
    const agent = await startValidatorCli({ capacity });

    const [given, wrong] = [
      await agent.run(["capacity", "--receiver", AGENT.ss58]),
      await agent.run(["capacity", "--receiver", MALLORY.ss58]),
    ];

    expect(given.exitCode).toBe(0);
    expect(wrong).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("(auth-wrong-receiver)") });
  });

  it("says what is wrong with a hotkey file, and nothing of what is in it", async () => {
    const agent = await startValidatorCli({});
    writeFileSync(agent.files.hotkey, '{"secretPhrase": "hunter2"');

    const run = await agent.run(["pods"]);

    expect(run).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("(hotkey-file-invalid)") });
    expect(run.stderr).not.toContain("hunter2");
  });

  it("cannot reach an agent that is not there: 3", async () => {
    const { files } = await startValidatorCli({});

    const run = await cli(["as-validator", "pods", "--url", "http://127.0.0.1:1", "--hotkey-file", files.hotkey]);

    expect(run.exitCode).toBe(3);
  });
});
