/** A self-check says what keeps validators from this agent, and from hosts that are away. */
import { describe, expect, it } from "vitest";

import type { Finding } from "../../../../agent/check/finding.ts";
import { judgeAgent, judgeAway } from "../../../../agent/check/judge-agent.ts";
import { ChainStatus } from "../../../../protocol/chain-view.ts";
import type { HostView } from "../../../../protocol/operator-api.ts";
import { hostId } from "../../../support/agent-builders.ts";
import { OWNER, T0 } from "../../../support/builders.ts";

const UNREAD = {
  network: "test",
  netuid: 51,
  hotkey: OWNER,
  axon: { state: "announced", onChain: "203.0.113.7:8091" },
  validators: { permitted: 3, known: 5 },
};
const SOUND = { ...UNREAD, registered: true };
const AWAY: HostView = {
  hostId: hostId(3),
  name: "gpu-host",
  connected: false,
  enrolledAt: new Date(T0).toISOString(),
  pods: 0,
};

function judged(status: unknown): Finding[] {
  return judgeAgent(ChainStatus.optional().parse(status));
}

const CAUSES = [
  { cause: "a configuration without a chain", status: undefined, level: "note", code: "chain-off" },
  { cause: "a chain not read yet", status: UNREAD, level: "note", code: "not-tried" },
  {
    cause: "a hotkey without a place",
    status: { ...SOUND, registered: false },
    level: "failure",
    code: "agent-not-registered",
  },
  ...["off", "unknown", "due", "waiting", "not-registered"].map((state) => ({
    cause: `an announcement that is ${state}`,
    status: { ...SOUND, axon: { state } },
    level: "warning",
    code: "agent-not-announced",
  })),
  {
    cause: "a chain that permits nobody",
    status: { ...SOUND, validators: { permitted: 0, known: 5 } },
    level: "warning",
    code: "no-validators",
  },
];

describe("an agent", () => {
  it("that is registered, announced and has a validator has nothing held against it", () => {
    const findings = judged({ ...SOUND, validators: { permitted: 1, known: 1 } });

    expect(findings.map(({ check, level, code }) => [check, level, code])).toEqual([
      ["chain", "ok", undefined],
      ["axon", "ok", undefined],
      ["validators", "ok", undefined],
    ]);
  });

  it.each(CAUSES)("is told of $cause: $code, what it costs, what to do, and of nothing else", (row) => {
    const found = judged(row.status).filter(({ level }) => level !== "ok");

    expect(found).toEqual([
      {
        check: expect.any(String),
        level: row.level,
        code: row.code,
        message: expect.stringMatching(/.{10}/),
        impact: expect.stringMatching(/.{10}/),
        remedy: expect.stringMatching(/.{10}/),
      },
    ]);
  });
});

describe("a host that is away", () => {
  it("is named, with when it was last seen", () => {
    const lastSeenAt = new Date(T0).toISOString();

    expect(judgeAway({ ...AWAY, lastSeenAt })).toEqual({
      check: "host",
      level: "failure",
      code: "host-offline",
      hostId: hostId(3),
      message: `The host is not connected; last seen: ${lastSeenAt}.`,
      impact: expect.stringMatching(/.{10}/),
      remedy: expect.stringMatching(/.{10}/),
    });
  });

  it("and never was there is said never to have been seen", () => {
    expect(judgeAway(AWAY).message).toBe("The host is not connected; last seen: never.");
  });
});
