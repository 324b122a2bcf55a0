/**
 * The answer of the selective metagraph call, as JSON of the client, made a Metagraph. Lists go by uid; one that is
 * shorter than the list of hotkeys is a damaged answer, not a neuron without that fact.
 */
import { z } from "zod";

import { decodeSs58 } from "../../../common/ss58.ts";
import { AppError } from "../../../protocol/errors.ts";
import { Hotkey } from "../../../protocol/ids.ts";
import type { Metagraph, Neuron } from "../chain.ts";
import { addressText } from "../ip-number.ts";

/** Netuid, block, tempo, serving rate limit, hotkeys, axons, permits, emission, incentives, registration blocks, stake. */
export const METAGRAPH_FIELDS = [0, 7, 8, 45, 52, 55, 57, 60, 62, 66, 69];

const SHARE_UNIT = 65_535;

/** Small numbers come as such, large ones as 0x and big-endian hex. */
const Amount = z
  .union([z.int().min(0), z.string().regex(/^(0x[0-9a-fA-F]+|\d+)$/)])
  .transform((number) => BigInt(number));
const Count = Amount.transform(Number).pipe(z.int());

const Answer = z
  .object({
    netuid: Count,
    block: Count,
    tempo: Count,
    servingRateLimit: Count,
    hotkeys: z.array(Hotkey.refine((text) => decodeSs58(text) !== undefined)),
    axons: z.array(z.object({ block: Count, version: Count, ip: Amount, port: Count, ipType: Count, protocol: Count })),
    validatorPermit: z.array(z.boolean()),
    emission: z.array(Amount),
    incentives: z.array(Count),
    blockAtRegistration: z.array(Count),
    totalStake: z.array(Amount),
  })
  .refine((answer) =>
    [answer.axons, answer.validatorPermit, answer.emission, answer.blockAtRegistration, answer.totalStake].every(
      (list) => list.length === answer.hotkeys.length,
    ),
  );
type Answer = z.infer<typeof Answer>;

/** Throws `chain-unreachable` when the answer is not of this subnet or not whole. */
export function metagraphOf(json: unknown, netuid: number): Metagraph {
  const { success, data: answer } = Answer.safeParse(json);
  if (!success || answer.netuid !== netuid)
    throw new AppError("chain-unreachable", { message: `A node gave no whole metagraph of subnet ${netuid}.` });
  const { block, tempo, servingRateLimit } = answer;
  const neurons = answer.hotkeys.map((hotkey, uid) => neuronOf(answer, uid, hotkey));
  return { netuid, block, tempo, servingRateLimit, neurons };
}

function neuronOf(answer: Answer, uid: number, hotkey: Hotkey): Neuron {
  const axon = answer.axons[uid];
  return {
    uid,
    hotkey,
    validatorPermit: answer.validatorPermit[uid] === true,
    stakeRao: answer.totalStake[uid] ?? 0n,
    emissionRao: answer.emission[uid] ?? 0n,
    // The list may end at the last miner that earns.
    incentive: (answer.incentives[uid] ?? 0) / SHARE_UNIT,
    registeredAtBlock: answer.blockAtRegistration[uid] ?? 0,
    axon:
      axon === undefined || axon.ip === 0n
        ? undefined
        : { ...axon, ip: addressText(axon.ip, axon.ipType === 6 ? 6 : 4) },
  };
}
