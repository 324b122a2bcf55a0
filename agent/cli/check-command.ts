/**
 * `lium-agent check`: does to the provider's own hosts what a validator would do, and says what of it costs score or collateral.
 */
import type { Command } from "commander";

import type { Commands } from "../../common/cli/output.ts";
import type { HttpClient } from "../../common/http-client.ts";
import { createHttpClient } from "../../common/http-client.ts";
import type { Offer } from "../../protocol/capacity.ts";
import type { ChainStatus } from "../../protocol/chain-view.ts";
import { challengeApi } from "../../protocol/challenge/exchange.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import { type HostView, operatorApi } from "../../protocol/operator-api.ts";
import { chainApi } from "../../protocol/operator-chain.ts";
import { checkHost, type CheckOptions } from "../check/check-host.ts";
import { type Finding, found } from "../check/finding.ts";
import { judgeAgent, judgeAway } from "../check/judge-agent.ts";
import { size } from "./arguments.ts";
import { checkText } from "./check-views.ts";
import { operatorCommand, type SocketOption } from "./operator-command.ts";

const API = { ...operatorApi, ...chainApi, ...challengeApi };
type Agent = HttpClient<typeof API>;

interface Options extends SocketOption {
  readonly quick?: boolean;
  readonly proofSize?: number;
  readonly image?: string;
}

/** Longer than the longest wait that a route allows. */
const TIMEOUT_MS = 75_000;
const HELP = `
Exit codes of this command besides the usual: 1 when something is found that costs score, rentals or collateral.`;

export function addCheckCommand(program: Command, { host, output }: Commands): void {
  operatorCommand(program, "check [host-id]", "What a validator would find: on one host, or on all and the agent", host)
    .option("--quick", "without proofs of GPUs, disk and speed")
    .option(
      "--proof-size <size>",
      "how much memory of each GPU is filled; a quarter, at most 3GiB, when left out",
      size,
    )
    .option("--image <reference>", "also rent a pod with this image and a GPU for a moment")
    .addHelpText("after", HELP)
    .action(async (hostId: string | undefined, { socket, quick = false, proofSize, image }: Options) => {
      const agent = createHttpClient(API, { at: { socketPath: socket }, timeoutMs: TIMEOUT_MS });
      try {
        const options = { quick, proofBytes: proofSize, image, progress: (what: string) => output.note(what) };
        const findings = await check(agent, hostId, options, { clock: host.clock, signal: host.interrupted() });
        output.result({ findings }, (paint) => checkText(findings, paint));
        const failures = findings.filter(({ level }) => level === "failure").length;
        if (failures === 0) return;
        const message = `${failures} finding(s) cost score, rentals or collateral.`;
        throw new AppError("check-failed", { message });
      } finally {
        await agent.close();
      }
    });
}

async function check(
  agent: Agent,
  hostId: string | undefined,
  options: CheckOptions,
  { clock, signal }: { readonly clock: Commands["host"]["clock"]; readonly signal: AbortSignal },
): Promise<Finding[]> {
  const { hotkey } = await agent.status({});
  const examiner = { client: agent, validator: hotkey, agent: hotkey, clock };
  const views = await hostsOf(agent, hostId);
  const { offers } = await agent.capacity({});
  const findings: Finding[] = hostId === undefined ? judgeAgent(await chainOf(agent)) : [];
  for (const view of views) {
    const offer = offers.find((one) => one.hostId === view.hostId);
    findings.push(...(offer === undefined ? [judgeAway(view)] : await checkOrSay(offer)));
  }
  return findings;

  async function checkOrSay(offer: Offer): Promise<Finding[]> {
    try {
      return await checkHost(offer, examiner, options, signal);
    } catch (error) {
      signal.throwIfAborted();
      return [{ ...found("host", "failure", "proof-failed", toAppError(error).message), hostId: offer.hostId }];
    }
  }
}

async function hostsOf(agent: Agent, hostId: string | undefined): Promise<readonly HostView[]> {
  if (hostId === undefined) return (await agent.listHosts({})).hosts;
  return [await agent.getHost({ params: { hostId } })];
}

/** Undefined where the agent does without the chain. */
async function chainOf(agent: Agent): Promise<ChainStatus | undefined> {
  try {
    return await agent.chainStatus({});
  } catch (error) {
    if (toAppError(error).code === "chain-off") return undefined;
    throw error;
  }
}
