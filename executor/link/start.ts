/**
 * The link, made and started, where this host has joined an agent.
 */
import { hostname } from "node:os";

import type { Base } from "../base.ts";
import type { GpuHealth } from "../gpus/health/engine.ts";
import { GpuReporter } from "../gpus/report/reporter.ts";
import type { Pods } from "../pods/reconcile.ts";
import { LinkClient } from "./client.ts";
import { loadMembership, saveMembership } from "./membership.ts";
import type { ChallengesPort } from "./session.ts";

const RECONNECT = { firstDelayMs: 250, maxDelayMs: 10_000 };

export async function startLink(
  base: Base,
  pods: Pods,
  { health, challenges }: { readonly health: Pick<GpuHealth, "forbid">; readonly challenges: ChallengesPort },
): Promise<LinkClient | undefined> {
  const { config, keys, ledger, log, life } = base;
  const membership = await loadMembership(config.stateDir);
  if (membership === undefined) {
    log.warn("this host has not joined an agent: run `lium-executor join TOKEN`");
    return undefined;
  }
  const { url, fingerprint } = membership;
  const link = new LinkClient(
    { reconnect: RECONNECT },
    {
      ...base,
      membership,
      name: config.name ?? hostname(),
      identity: keys.identity,
      pods,
      events: ledger,
      gpuReports: new GpuReporter({ ...base, pods, run: Math.floor(base.random() * 2 ** 48).toString(36) }),
      challenges,
      forbidRemedies: (why) => health.forbid(why),
      onWelcome: async () => {
        if (membership.joinSecret !== undefined) await saveMembership(config.stateDir, { url, fingerprint });
      },
    },
  );
  life.add("link", () => link.close());
  link.start();
  return link;
}
