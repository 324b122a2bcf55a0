/**
 * How the chain reads for people. Pure: a view and a moment in, text out.
 */
import { type Paint, printable, type Style } from "../../common/cli/output.ts";
import { type Column, fields, table } from "../../common/cli/table.ts";
import type { ChainStatus, ChainValidator } from "../../protocol/chain-view.ts";
import { formatDuration } from "./quantities.ts";

type AxonState = ChainStatus["axon"]["state"];

const AXON_TEXT: Readonly<Record<AxonState, readonly [Style, string]>> = {
  off: ["yellow", "nothing is announced: no public address, no hotkey file, or turned off"],
  unknown: ["yellow", "unknown until the chain is read"],
  announced: ["green", "announced"],
  due: ["yellow", "to be announced"],
  waiting: ["yellow", "waits until the chain takes the next announcement"],
  "not-registered": ["red", "register the hotkey first, with btcli"],
};

export function chainText(status: ChainStatus, nowMs: number, paint: Paint): string {
  const { axon, validators, registered, standing, readAt, block, readProblem, announceProblem } = status;
  const [style, state] = AXON_TEXT[axon.state];
  const ago = (at: string): string => `${formatDuration(nowMs - Date.parse(at))} ago`;
  return fields(
    [
      ["network", `${status.network}, subnet ${status.netuid}`],
      ["hotkey", status.hotkey],
      ["read", readAt === undefined ? "not yet" : `block ${block}, ${ago(readAt)}`],
      ["registered", standing ? `uid ${standing.uid}` : registered === false ? paint("red", "no") : "unknown"],
      ["rank", standing && `${standing.rank} of ${standing.miners} miners`],
      ["address", [axon.wanted, paint(style, state)].filter((part) => part !== undefined).join(", ")],
      ["on chain", axon.onChain],
      [
        "validators",
        `${validators.permitted} served of ${validators.known} with a permit${since(validators.readAt, ago)}`,
      ],
      ["problem", readProblem && problemText(readProblem, ago)],
      ["problem", announceProblem && problemText(announceProblem, ago)],
    ],
    paint,
  );
}

export function validatorTable(validators: readonly ChainValidator[], paint: Paint): string {
  if (validators.length === 0) return "No validator is known yet: the chain was not read.";
  const columns: Column<ChainValidator>[] = [
    { title: "UID", text: ({ uid }) => uid.toString() },
    { title: "HOTKEY", text: ({ hotkey }) => hotkey },
    { title: "STAKE", text: ({ stakeTao }) => `${Math.floor(stakeTao)} TAO` },
    {
      title: "SERVED",
      text: ({ verdict }) => (verdict === "permitted" ? "yes" : `no: ${verdict}`),
      style: ({ verdict }) => (verdict === "permitted" ? "green" : "dim"),
    },
  ];
  return table(validators, columns, paint);
}

type Earnings = Pick<ChainStatus, "netuid" | "registered" | "readAt"> & Partial<ChainStatus["standing"]>;

export function earningsText({ registered, readAt, ...standing }: Earnings, paint: Paint): string {
  if (registered === undefined) return "Nothing is known yet: the chain was not read.";
  const { incentive = 0, rank, miners, alphaPerTempo = 0, alphaPerDay = 0 } = standing;
  if (!registered) return "The hotkey is not registered on the subnet, so it earns nothing.";
  return fields(
    [
      ["uid", standing.uid?.toString()],
      ["rank", `${rank} of ${miners} miners`],
      ["incentive", `${(incentive * 100).toFixed(3)} %`],
      ["last tempo", `${alphaPerTempo.toFixed(4)} alpha`],
      ["a day like it", `${alphaPerDay.toFixed(2)} alpha`],
      ["read", readAt],
    ],
    paint,
  );
}

function since(readAt: string | undefined, ago: (at: string) => string): string {
  return readAt === undefined ? "" : `, known since ${ago(readAt)}`;
}

function problemText(
  { at, code, message }: NonNullable<ChainStatus["readProblem"]>,
  ago: (at: string) => string,
): string {
  return `${printable(code)}: ${printable(message)} (${ago(at)})`;
}
