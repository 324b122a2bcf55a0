/** A desk of challenges of an agent that no host is linked to. */
import { ChallengeDesk } from "../../../agent/challenges/desk.ts";
import { createReplayStore } from "../../../agent/validator/replay.ts";
import type { Clock } from "../../../common/clock.ts";
import { AppError } from "../../../protocol/errors.ts";
import type { Hotkey } from "../../../protocol/ids.ts";
import { SILENT } from "../agent-harness.ts";

export function deskWithoutHosts(hotkey: Hotkey, clock: Clock): ChallengeDesk {
  const none = (): never => {
    throw new AppError("host-unreachable");
  };
  return new ChallengeDesk({
    hosts: { hostOf: () => undefined, reserve: () => none, order: none },
    pods: { create: async () => none(), end: async () => undefined },
    hotkey,
    sign: () => new Uint8Array(64),
    replay: createReplayStore(clock),
    clock,
    log: SILENT,
  });
}
