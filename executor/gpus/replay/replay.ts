/**
 * What the executor would see of a host, from captures of its vendors' tools: the same readings, the same rules. Pure.
 */
import type {
  AcceleratorReading,
  Accelerators,
  AcceleratorVendor,
  SourceState,
} from "../../../protocol/accelerator.ts";
import { AppError } from "../../../protocol/errors.ts";
import { readAmdSmi } from "../amd/amd-smi.ts";
import { readRocmSmi } from "../amd/rocm-smi.ts";
import { compose, composeCaptured } from "../compose.ts";
import { readHlSmiBox, readHlSmiTable } from "../intel/hl-smi.ts";
import { withDetails } from "../intel/tools.ts";
import { readXpuSmiBox, readXpuSmiJson, readXpuSmiSummary, readXpuSmiTable } from "../intel/xpu-smi.ts";
import { isUnavailable, knownOr } from "../known.ts";
import { readingsOf } from "../nvidia/smi/fields.ts";
import { parseList, parseNvlinks, parseProcesses, parseTopology, withLists } from "../nvidia/smi/lists.ts";
import { readLog } from "../nvidia/xml/log.ts";
import { parseXml } from "../nvidia/xml/parse.ts";
import { soundReadings } from "../sound.ts";
import { nothingRead, type PairReading, type SourceReading } from "../source.ts";
import type { SysfsReading } from "../sysfs/source.ts";
import { type Capture, recognise } from "./capture.ts";

export interface CapturedFile {
  readonly name: string;
  readonly text: string;
}

interface Part {
  readonly vendor: AcceleratorVendor;
  readonly readings: readonly AcceleratorReading[];
  readonly pairs: readonly PairReading[];
}

/**
 * The picture that these files give, of `at`; with the files of a host's kernel where a copy of them was given too.
 * Throws `invalid-request` naming a file that is no output of any tool that is known.
 */
export function replay(files: readonly CapturedFile[], at: string, sysfs?: SysfsReading): Accelerators {
  const captures = files.flatMap(({ name, text }) => {
    const found = recognise(text);
    if (found.length > 0) return found;
    throw new AppError("invalid-request", {
      message: `${name} is no output that is known here.`,
      details: {
        file: name,
        known: "nvidia-smi (-q -x, --query-gpu with a header, -L, topo -m), amd-smi, rocm-smi, xpu-smi, hl-smi",
      },
    });
  });
  const parts = [nvidiaPart(captures), amdPart(captures), intelPart(captures)];
  const sources = captures.map(({ kind }): SourceState => ({
    name: `replay ${kind}`,
    state: kind === "nothing-found" ? "failed" : "ok",
  }));
  if (sysfs === undefined) {
    return composeCaptured({
      at,
      readings: parts.flatMap(({ readings }) => readings),
      pairs: parts.flatMap(({ pairs }) => pairs),
      sources,
    });
  }
  const asSource = ({ vendor, readings, pairs }: Part): SourceReading => ({
    ...nothingRead({ name: `replay ${vendor}`, state: "ok" }),
    readings,
    pairs,
  });
  const [nvidia, ...others] = parts
    .filter(({ readings }) => readings.length > 0)
    .toSorted(nvidiaFirst)
    .map(asSource);
  const isNvidia = nvidia?.state.name === "replay nvidia";
  const supplements = isNvidia || nvidia === undefined ? others : [nvidia, ...others];
  return compose({ at, sysfs, nvidia: isNvidia ? nvidia : undefined, supplements, last: undefined });
}

function nvidiaFirst(a: Part, b: Part): number {
  return Number(b.vendor === "nvidia") - Number(a.vendor === "nvidia");
}

function nvidiaPart(captures: readonly Capture[]): Part {
  const readings = captures.flatMap((capture): AcceleratorReading[] => {
    if (capture.kind === "nvidia-smi-xml") return readLog(parseXml(capture.text))?.readings ?? [];
    return capture.kind === "nvidia-smi-csv" ? readingsOf(capture.table, "nvidia-smi") : [];
  });
  const listed = captures.flatMap((capture) =>
    capture.kind === "nvidia-smi-list" || capture.kind === "nvidia-smi-nvlink" ? parseList(capture.text) : [],
  );
  const [processes] = captures.flatMap((capture) => (capture.kind === "nvidia-smi-processes" ? [capture.text] : []));
  const bare = listed.map(({ uuid, index, model }): AcceleratorReading => ({
    uuid,
    vendor: "nvidia",
    index,
    model,
    sources: ["nvidia-smi-list"],
  }));
  const all = readings.length > 0 ? readings : bare;
  const links = new Map(
    captures.flatMap((capture) => (capture.kind === "nvidia-smi-nvlink" ? [...parseNvlinks(capture.text)] : [])),
  );
  const lists = { links, listed, processes: processes === undefined ? undefined : parseProcesses(processes, true) };
  const [topology] = captures.flatMap((capture) => (capture.kind === "nvidia-smi-topology" ? [capture.text] : []));
  const pairs = topology === undefined ? [] : pairsFrom(topology, all);
  return { vendor: "nvidia", readings: soundReadings(all.map((reading) => withLists(reading, lists))), pairs };
}

function pairsFrom(text: string, readings: readonly AcceleratorReading[]): PairReading[] {
  const addressOf = new Map(
    readings.map(({ index, pciAddress }) => [knownOr(index, -1), knownOr(pciAddress, undefined)]),
  );
  return parseTopology(text).flatMap(({ a, b, ...rest }) => {
    const [one, other] = [addressOf.get(a), addressOf.get(b)];
    return one === undefined || other === undefined ? [] : [{ a: one, b: other, ...rest }];
  });
}

function amdPart(captures: readonly Capture[]): Part {
  const documents = captures.flatMap((capture) => (capture.kind === "amd-smi" ? [capture.document] : []));
  const amdSmi = readAmdSmi(documents);
  const rocmSmi = captures.flatMap((capture) =>
    capture.kind === "rocm-smi" ? (readRocmSmi(capture.document) ?? []) : [],
  );
  return {
    vendor: "amd",
    readings: soundReadings([...(amdSmi?.readings ?? []), ...rocmSmi]),
    pairs: amdSmi?.pairs ?? [],
  };
}

/** Measurements say only which device of the run they are of; the list of the same run says where that is. */
function intelPart(captures: readonly Capture[]): Part {
  const readings = captures.flatMap((capture): AcceleratorReading[] => {
    switch (capture.kind) {
      case "xpu-smi":
        return readXpuSmiJson(capture.document) ?? [];
      case "xpu-smi-box":
        return readXpuSmiBox(capture.text) ?? [];
      case "xpu-smi-summary":
        return readXpuSmiSummary(capture.text) ?? [];
      case "xpu-smi-csv":
        return readXpuSmiTable(capture.table);
      case "hl-smi-box":
        return readHlSmiBox(capture.text) ?? [];
      case "hl-smi-csv":
        return readHlSmiTable(capture.table);
      case "nvidia-smi-xml":
      case "nvidia-smi-csv":
      case "nvidia-smi-list":
      case "nvidia-smi-nvlink":
      case "nvidia-smi-processes":
      case "nvidia-smi-topology":
      case "amd-smi":
      case "rocm-smi":
      case "nothing-found":
        return [];
    }
  });
  const placed = readings.filter(({ pciAddress }) => pciAddress !== undefined && !isUnavailable(pciAddress));
  const details = readings.filter((reading) => !placed.includes(reading));
  return {
    vendor: "intel",
    readings: soundReadings(placed.length > 0 ? withDetails(placed, details) : details),
    pairs: [],
  };
}
