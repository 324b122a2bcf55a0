/**
 * What moves by the minute or never, of one device: limits, error counters, links, the state of the fabric.
 */
import type { AcceleratorReading, FabricLink, Known } from "../../../../protocol/accelerator.ts";
import { firstKnown, isUnavailable, knownOr, mapKnown, unavailable } from "../../known.ts";
import { pciAddress } from "../../pci-address.ts";
import { ask, askBig, askNumber, askStruct, askText, number32, textIn } from "./calls.ts";
import { type Nvml, type NvmlFunction, RC, unavailableFor } from "./functions.ts";

const CLOCK = { sm: 1, memory: 2 } as const;
const THRESHOLD_SLOWDOWN = 1;

/** `ends` keeps what is at the other end of each link, which is asked for only once while the link is up. */
export async function readSlow(nvml: Nvml, handle: bigint, ends: LinkEnds): Promise<Partial<AcceleratorReading>> {
  const number = (name: NvmlFunction, ...args: number[]): Promise<Known<number>> =>
    askNumber(nvml, name, handle, ...args);
  return {
    serial: await askText(nvml, "nvmlDeviceGetSerial", handle, 30),
    driver: { firmware: await askText(nvml, "nvmlDeviceGetVbiosVersion", handle, 32) },
    nodes: mapNode(await number("nvmlDeviceGetMinorNumber")),
    temperature: { slowdownCelsius: await number("nvmlDeviceGetTemperatureThreshold", THRESHOLD_SLOWDOWN) },
    power: {
      defaultLimitWatts: mapKnown(await number("nvmlDeviceGetPowerManagementDefaultLimit"), (milli) => milli / 1000),
    },
    clocks: {
      maxCoreMhz: await number("nvmlDeviceGetMaxClockInfo", CLOCK.sm),
      maxMemoryMhz: await number("nvmlDeviceGetMaxClockInfo", CLOCK.memory),
    },
    ecc: await readEcc(nvml, handle),
    rows: await readRows(nvml, handle),
    pcie: {
      generation: await number("nvmlDeviceGetCurrPcieLinkGeneration"),
      width: await number("nvmlDeviceGetCurrPcieLinkWidth"),
      maxGeneration: await number("nvmlDeviceGetMaxPcieLinkGeneration"),
      maxWidth: await number("nvmlDeviceGetMaxPcieLinkWidth"),
      replays: await number("nvmlDeviceGetPcieReplayCounter"),
    },
    fabric: await readFabric(nvml, handle),
    fabricLinks: await readLinks(nvml, handle, ends),
    persistence: mapKnown(await number("nvmlDeviceGetPersistenceMode"), (mode) => mode === 1),
  };
}

function mapNode(minor: Known<number>): string[] {
  return isUnavailable(minor) ? [] : [`nvidia${minor}`];
}

const ECC = { corrected: 0, uncorrected: 1, volatile: 0, aggregate: 1 } as const;

async function readEcc(nvml: Nvml, handle: bigint): Promise<NonNullable<AcceleratorReading["ecc"]>> {
  const [now, next] = [Buffer.alloc(4), Buffer.alloc(4)];
  const name = "nvmlDeviceGetEccMode";
  const code = nvml.has(name) ? await nvml.call(name, handle, now, next) : RC.functionNotFound;
  const mode = (memory: Buffer): Known<boolean> =>
    code === RC.success ? memory.readUInt32LE(0) === 1 : unavailableFor(code, name);
  const count = (type: number, counter: number): Promise<Known<number>> =>
    askBig(nvml, "nvmlDeviceGetTotalEccErrors", handle, type, counter);
  const sram = { name: "nvmlDeviceGetSramEccErrorStatus", args: [handle], bytes: 104, version: 1 } as const;
  return {
    enabled: mode(now),
    pending: mode(next),
    correctedVolatile: await count(ECC.corrected, ECC.volatile),
    uncorrectedVolatile: await count(ECC.uncorrected, ECC.volatile),
    correctedAggregate: await count(ECC.corrected, ECC.aggregate),
    uncorrectedAggregate: await count(ECC.uncorrected, ECC.aggregate),
    sramThresholdExceeded: await askStruct(nvml, sram, (answer) => answer.readUInt32LE(96) !== 0),
  };
}

const RETIRED_CAUSES = [0, 1];

async function readRows(nvml: Nvml, handle: bigint): Promise<NonNullable<AcceleratorReading["rows"]>> {
  const memories = [0, 1, 2, 3].map(() => Buffer.alloc(4));
  const name = "nvmlDeviceGetRemappedRows";
  const code = nvml.has(name) ? await nvml.call(name, handle, ...memories) : RC.functionNotFound;
  const value = (at: number): Known<number> => {
    const memory = memories[at];
    return code === RC.success && memory !== undefined ? number32(memory, 0) : unavailableFor(code, name);
  };
  const histogram = { name: "nvmlDeviceGetRowRemapperHistogram", args: [handle], bytes: 20 } as const;
  return {
    remappedCorrectable: value(0),
    remappedUncorrectable: value(1),
    pending: mapKnown(value(2), (flag) => flag !== 0),
    failed: mapKnown(value(3), (flag) => flag !== 0),
    banksWithoutSpare: await ask(nvml, histogram, (answer) => number32(answer, 16)),
    retiredPages: await readRetiredPages(nvml, handle),
  };
}

/** Asked with no room, the library says how many there are. */
async function readRetiredPages(nvml: Nvml, handle: bigint): Promise<Known<number>> {
  const name = "nvmlDeviceGetRetiredPages";
  if (!nvml.has(name)) return unavailable("not-supported");
  let pages = 0;
  for (const cause of RETIRED_CAUSES) {
    const count = Buffer.alloc(4);
    const code = await nvml.call(name, handle, cause, count, Buffer.alloc(8));
    if (code !== RC.success && code !== RC.tooSmall) return unavailableFor(code, name);
    pages += count.readUInt32LE(0);
  }
  return pages;
}

const FABRIC_STATES = ["", "not-started", "in-progress", "completed"] as const;
const FABRIC_HEALTH = ["", "healthy", "unhealthy", "degraded"] as const;

/** The newest version of the struct that the driver takes. */
async function readFabric(nvml: Nvml, handle: bigint): Promise<NonNullable<AcceleratorReading["fabric"]>> {
  const name = "nvmlDeviceGetGpuFabricInfoV";
  const newer = { name, args: [handle], bytes: 40, version: 3 } as const;
  const older = { name, args: [handle], bytes: 36, version: 2 } as const;
  const info = firstKnown(
    await askStruct(nvml, newer, (answer) => ({ state: answer.readUInt8(28), health: answer.readUInt8(36) })),
    await askStruct(nvml, older, (answer) => ({ state: answer.readUInt8(28), health: 0 })),
  );
  if (isUnavailable(info)) return { state: info, health: info };
  const none = unavailable("not-supported");
  return { state: FABRIC_STATES[info.state] || none, health: FABRIC_HEALTH[info.health] || none };
}

const MOST_LINKS = 36;
const REMOTE = ["gpu", "other", "switch"] as const;
const PCI_BYTES = 68;
const LINK_ERRORS = { replay: 0, crcFlit: 2 } as const;

/** What is at the other end of a device's links, by their indices. */
export type LinkEnds = Map<number, Pick<FabricLink, "remote" | "remotePciAddress">>;

async function readLinks(nvml: Nvml, handle: bigint, ends: LinkEnds): Promise<Known<FabricLink[]>> {
  const links: FabricLink[] = [];
  for (let index = 0; index < MOST_LINKS; index += 1) {
    const state = await askNumber(nvml, "nvmlDeviceGetNvLinkState", handle, index);
    // Beyond the last link the answer is that it is not supported, or an invalid argument.
    if (isUnavailable(state)) return links.length > 0 || state.unavailable === "not-supported" ? links : state;
    const active = state === 1;
    const end = (active ? ends.get(index) : undefined) ?? (await readEnd(nvml, handle, index));
    if (active && !isUnavailable(end.remote) && !isUnavailable(end.remotePciAddress)) ends.set(index, end);
    else ends.delete(index);
    links.push({ index, kind: "nvlink", active, ...end, errors: await readErrors(nvml, handle, index) });
  }
  return links;
}

async function readEnd(
  nvml: Nvml,
  handle: bigint,
  index: number,
): Promise<Pick<FabricLink, "remote" | "remotePciAddress">> {
  const type = await askNumber(nvml, "nvmlDeviceGetNvLinkRemoteDeviceType", handle, index);
  const remotePci = { name: "nvmlDeviceGetNvLinkRemotePciInfo_v2", args: [handle, index], bytes: PCI_BYTES } as const;
  return {
    remote: isUnavailable(type) ? type : (REMOTE[type] ?? unavailable("not-supported")),
    remotePciAddress: await ask(nvml, remotePci, addressIn),
  };
}

async function readErrors(nvml: Nvml, handle: bigint, index: number): Promise<Known<number>> {
  const replays = await askBig(nvml, "nvmlDeviceGetNvLinkErrorCounter", handle, index, LINK_ERRORS.replay);
  const crc = await askBig(nvml, "nvmlDeviceGetNvLinkErrorCounter", handle, index, LINK_ERRORS.crcFlit);
  return isUnavailable(replays) ? replays : replays + knownOr(crc, 0);
}

/** Of the struct that NVML describes PCI devices with. */
function addressIn(pci: Buffer): Known<string> {
  const text = textIn(pci.subarray(36, PCI_BYTES));
  return pciAddress(text) ?? unavailable("error", text);
}

export function askPci(nvml: Nvml, handle: bigint): Promise<Known<{ address: Known<string>; id: string }>> {
  const call = { name: "nvmlDeviceGetPciInfo_v3", args: [handle], bytes: PCI_BYTES } as const;
  return ask(nvml, call, (answer) => {
    const both = answer.readUInt32LE(28).toString(16).padStart(8, "0");
    return { address: addressIn(answer), id: `${both.slice(4)}:${both.slice(0, 4)}` };
  });
}
