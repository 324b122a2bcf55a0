/** The firewall as text. Whether the kernel keeps it is for the tests with a real one. */
import { describe, expect, it } from "vitest";

import { type FirewallPolicy, rulesetOf } from "../../../../executor/isolation/ruleset.ts";

const POLICY: FirewallPolicy = {
  blockedRanges: ["10.0.0.0/8", "169.254.0.0/16"],
  allowedRanges: ["10.5.0.10/32"],
  nameServers: ["10.255.255.53"],
  uploadMbitPerSecond: 80,
  downloadMbitPerSecond: undefined,
  maxConnections: 500,
};

function rulesIn(chain: string, policy = POLICY): string[] {
  const lines = rulesetOf(policy).split("\n");
  const from = lines.indexOf(`  chain ${chain} {`);
  return lines.slice(from + 1, lines.indexOf("  }", from)).map((line) => line.trim());
}

describe("the firewall of pods", () => {
  it("replaces its table in one step and touches no other", () => {
    const lines = rulesetOf(POLICY).split("\n");

    expect(lines.slice(0, 3)).toEqual(["table inet lium", "delete table inet lium", "table inet lium {"]);
    expect(lines.filter((line) => /^\S/.test(line) && line !== "}")).toHaveLength(3);
  });

  it("limits before it lets answers pass, or an open connection would have no limit", () => {
    const rules = rulesIn("from_pod");

    expect(rules.findIndex((rule) => rule.includes("limit rate over 10000000 bytes/second"))).toBeLessThan(
      rules.findIndex((rule) => rule.startsWith("ct state established")),
    );
  });

  it("no exception of the operator's opens another pod", () => {
    const rules = rulesIn("from_pod");

    expect(rules.findIndex((rule) => rule.startsWith('oifname "lium*" reject'))).toBeLessThan(
      rules.findIndex((rule) => rule.includes("10.5.0.10/32")),
    );
  });

  it("leaves nothing open to the host but answers and its name servers", () => {
    expect(rulesIn("to_host")).toEqual([
      "ct state established,related accept",
      "meta l4proto { tcp, udp } th dport 53 ct original ip daddr { 10.255.255.53 } accept",
      "reject with icmpx type admin-prohibited",
    ]);
  });

  it("has no rule about what is not there", () => {
    const text = rulesetOf({
      ...POLICY,
      nameServers: [],
      allowedRanges: [],
      blockedRanges: [],
      uploadMbitPerSecond: undefined,
    });

    expect(text).not.toMatch(/dport 53|limit rate|\{ *\}/);
  });
});
