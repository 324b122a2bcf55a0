/**
 * NVIDIA's devices through nvidia-smi, where the library cannot be used: comma-separated values, whatever the tool's exit
 * status, and never a second run while one hangs.
 */
import { type Backoff, backoffMs } from "../../../../common/backoff.ts";
import type { Clock } from "../../../../common/clock.ts";
import type { SourceState } from "../../../../protocol/accelerator.ts";
import type { DoomedChildren } from "../../children/doomed.ts";
import { runTool, type ToolOutcome } from "../../children/tool.ts";
import { knownOr } from "../../known.ts";
import { soundReadings } from "../../sound.ts";
import { type Depth, type GpuSource, nothingRead, type PairReading, type SourceReading } from "../../source.ts";
import { columnsFor, isCut, readingsOf } from "./fields.ts";
import { parseList, parseProcesses, parseTopology, PROCESS_COLUMNS, withLists } from "./lists.ts";
import { namesInHelp, parseTable } from "./table.ts";

export interface SmiOptions {
  /** A path, or a name to look for on the usual path. */
  readonly file: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Of one run. */
  readonly timeoutMs?: number;
}

export interface SmiParts {
  readonly doomed: DoomedChildren;
  readonly clock: Clock;
  readonly random: () => number;
}

const NAME = "nvidia-smi";
const TIMEOUT_MS = 5_000;
const RETRY: Backoff = { firstDelayMs: 15_000, maxDelayMs: 60_000 };

type Done = Extract<ToolOutcome, { ok: true }>;

export class NvidiaSmiSource implements GpuSource {
  readonly #options: SmiOptions;
  readonly #parts: SmiParts;
  #columns: readonly string[] | undefined;
  #pairs: readonly PairReading[] | undefined;
  #last: SourceReading = nothingRead({ name: NAME, state: "absent", detail: "It was not asked yet." });
  #failures = 0;
  #notBefore = 0;

  constructor(options: SmiOptions, parts: SmiParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** A run costs much, so a quick look is the last full one. */
  async read(depth: Depth, signal: AbortSignal): Promise<SourceReading> {
    if (depth === "quick" || this.#parts.clock.monotonic() < this.#notBefore) return this.#last;
    const begun = this.#parts.clock.monotonic();
    const read = await this.#look(signal);
    const tookMs = this.#parts.clock.monotonic() - begun;
    this.#last = { ...read, state: { ...read.state, tookMs } };
    this.#failures = read.state.state === "probe-timeout" ? this.#failures + 1 : 0;
    if (this.#failures > 0)
      this.#notBefore = this.#parts.clock.monotonic() + backoffMs(this.#failures, RETRY, this.#parts.random);
    return this.#last;
  }

  async close(): Promise<void> {}

  async #look(signal: AbortSignal): Promise<SourceReading> {
    const columns = await this.#knownColumns(signal);
    if ("state" in columns) return nothingRead(columns);
    const table = await this.#run([`--query-gpu=${columns.names.join(",")}`, "--format=csv,noheader,nounits"], signal);
    if (!table.ok) return nothingRead({ name: NAME, state: table.state, detail: table.detail });
    const readings = readingsOf(parseTable(table.stdout, columns.names), NAME);
    const state = stateOf(table, readings.length);
    if (readings.length === 0) return nothingRead(state);
    const processes = await this.#run(
      [`--query-compute-apps=${PROCESS_COLUMNS.join(",")}`, "--format=csv,noheader,nounits"],
      signal,
    );
    const list = readings.some(isCut) ? await this.#run(["-L"], signal) : undefined;
    const lists = {
      listed: list?.ok === true ? parseList(list.stdout) : [],
      processes: processes.ok && processes.exitCode === 0 ? parseProcesses(processes.stdout) : undefined,
    };
    this.#pairs ??= await this.#readPairs(readings, signal);
    return {
      ...nothingRead(state),
      readings: soundReadings(readings.map((reading) => withLists(reading, lists))),
      pairs: this.#pairs,
    };
  }

  /** What this driver can be asked for; looked up once. */
  async #knownColumns(signal: AbortSignal): Promise<{ names: readonly string[] } | SourceState> {
    if (this.#columns !== undefined) return { names: this.#columns };
    const help = await this.#run(["--help-query-gpu"], signal);
    if (!help.ok) return { name: NAME, state: help.state, detail: help.detail };
    const names = columnsFor(namesInHelp(help.stdout));
    if (help.exitCode === 0) this.#columns = names;
    return { names };
  }

  async #readPairs(readings: SourceReading["readings"], signal: AbortSignal): Promise<PairReading[]> {
    if (readings.length < 2) return [];
    const topology = await this.#run(["topo", "-m"], signal);
    if (!topology.ok) return [];
    const addressOf = new Map(
      readings.map((reading) => [knownOr(reading.index, -1), knownOr(reading.pciAddress, undefined)]),
    );
    return parseTopology(topology.stdout).flatMap(({ a, b, ...rest }) => {
      const [one, other] = [addressOf.get(a), addressOf.get(b)];
      return one === undefined || other === undefined ? [] : [{ a: one, b: other, ...rest }];
    });
  }

  #run(args: readonly string[], signal: AbortSignal): Promise<ToolOutcome> {
    const { file, env, timeoutMs = TIMEOUT_MS } = this.#options;
    return runTool({ file, args, timeoutMs, ...(env === undefined ? {} : { env }) }, this.#parts.doomed, signal);
  }
}

/** What its exit status means; others say that something is wrong and leave the rest usable. */
const ABSENT: Readonly<Record<number, string>> = {
  6: "There are no devices.",
  9: "The driver is not loaded.",
  12: "The driver's library was not found.",
};
const FAILED: Readonly<Record<number, string>> = {
  4: "It has no permission.",
  10: "The kernel found a problem with a device's interrupts.",
  14: "The information ROM of a device is corrupt.",
  15: "A device has fallen off the bus.",
  18: "The driver's library and its kernel module are of different versions.",
};

/** With some rows, trouble of one device is no trouble of the source. */
export function stateOf({ exitCode, stdout, stderr }: Done, rows: number): SourceState {
  const said = `${stdout}\n${stderr}`;
  const lines = said.split("\n").filter((line) => line.trim() !== "");
  const words =
    FAILED[exitCode] ??
    (lines.find((line) => /fail|error|unable|no devices/i.test(line)) ?? lines[0] ?? "").slice(0, 200);
  if (rows > 0)
    return { name: NAME, state: "ok", ...(exitCode === 0 ? {} : { detail: `status ${exitCode}: ${words}` }) };
  const absent = ABSENT[exitCode] ?? (/couldn't communicate|no devices were found/i.test(said) ? words : undefined);
  if (absent !== undefined) return { name: NAME, state: "absent", detail: absent };
  return { name: NAME, state: "failed", detail: `status ${exitCode}: ${words}` };
}
