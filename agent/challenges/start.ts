/**
 * The desk of challenges over this agent's hosts and pods.
 */
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import type { HostChallenge } from "../../protocol/challenge/host-messages.ts";
import { AppError } from "../../protocol/errors.ts";
import type { Hotkey } from "../../protocol/ids.ts";
import { PodSpec } from "../../protocol/pod.ts";
import type { Roster } from "../fleet/roster.ts";
import type { UseCases } from "../fleet/use-cases.ts";
import type { ReplayStore } from "../validator/replay.ts";
import { ChallengeDesk, type ChallengeDeskDeps } from "./desk.ts";

export interface ChallengeParts {
  readonly roster: Roster;
  readonly useCases: Pick<UseCases, "createPod" | "changePod">;
  readonly hotkey: Hotkey;
  readonly sign: ChallengeDeskDeps["sign"];
  readonly replay: ReplayStore;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A pod is asked for the time of its challenge and so much more, in case that nobody is left to end it. */
const SPARE_MS = 60_000;

export function createChallengeDesk({ roster, useCases, ...parts }: ChallengeParts): ChallengeDesk {
  return new ChallengeDesk({
    ...parts,
    hosts: {
      hostOf: (hostKey) => {
        const host = roster.hosts().find(({ record, ready }) => ready && record.publicKey === hostKey);
        return host?.record.hostId;
      },
      reserve: (hostId, gpus) => roster.reserve(hostId, gpus),
      order: (hostId, order) => {
        if (roster.link(hostId)?.challenge(order) !== true)
          throw new AppError("host-unreachable", { details: { hostId } });
      },
    },
    pods: {
      create: async (owner, challenge, hostId) => {
        const request = { spec: specOf(challenge, parts.clock.now()), hostId, idempotencyKey: challenge.nonce };
        return (await useCases.createPod(owner, request, parts.clock.monotonic())).podId;
      },
      end: async (podId) => {
        const change = { do: "terminate", reason: "requested" } as const;
        await useCases.changePod({ kind: "operator" }, podId, change).catch((error: unknown) => {
          parts.log.warn("the pod of a challenge could not be ended; its lease ends it", { podId, error });
        });
      },
    },
  });
}

function specOf({ task, answerWithinMs }: HostChallenge, nowMs: number): PodSpec {
  if (task.kind !== "pod") throw new AppError("internal");
  const lastsMs = answerWithinMs + task.openSeconds * 1000 + SPARE_MS;
  return PodSpec.parse({
    image: task.image,
    sshKeys: [task.sshKey],
    gpus: { count: task.gpus },
    lease: { expiresAt: new Date(nowMs + lastsMs).toISOString(), graceSeconds: 0 },
    labels: { challenge: task.kind },
  });
}
