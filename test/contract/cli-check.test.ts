/** `lium-agent check`, from arguments to exit code, where hosts are away or cannot be asked. */
import { describe, expect, it } from "vitest";

import { FINDINGS } from "../../agent/check/finding.ts";
import { hostId } from "../support/agent-builders.ts";
import { agentStatus, capacity, hostView } from "../support/answers.ts";
import { startOperatorListener } from "../support/api-servers.ts";
import { cli } from "../support/run-cli.ts";

describe("lium-agent check", () => {
  it("says of a host that is away what it costs and what to do, and ends with 1", async () => {
    const away = hostView({ connected: false });
    await using agent = await startOperatorListener({
      status: agentStatus,
      capacity: () => ({ ...capacity(), offers: [] }),
      listHosts: () => [away],
    });

    const text = await cli(["check", "--socket", agent.socketPath]);
    const json = await cli(["check", "--json", "--socket", agent.socketPath]);

    expect(text.exitCode).toBe(1);
    expect(text.stdout).toContain("host-offline");
    expect(text.stdout).toContain(FINDINGS["host-offline"].remedy);
    expect(text.stderr).toContain("check-failed");
    expect(json.exitCode).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      findings: [
        { check: "chain", level: "note", code: "chain-off" },
        { check: "host", level: "failure", hostId: hostId(1), ...FINDINGS["host-offline"] },
      ],
    });
  });

  it("goes on where a host cannot be challenged, and says that", async () => {
    await using agent = await startOperatorListener({ status: agentStatus, capacity, getHost: () => hostView() });

    const { exitCode, stdout } = await cli(["check", hostId(1), "--quick", "--json", "--socket", agent.socketPath]);

    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ findings: [{ check: "inventory", code: "proof-failed" }] });
  });

  it("says 3 where there is no agent", async () => {
    expect(await cli(["check", "--socket", "/nowhere/agent.sock"])).toMatchObject({ exitCode: 3 });
  });
});
