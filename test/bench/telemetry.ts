/**
 * What a full sample of the GPUs costs in CPU time of all processes and threads that take part: through the executor's
 * worker, which keeps NVIDIA's library open, against spawning nvidia-smi for it as the executor does where there is no library:
 * its whole log as XML through node-nvidia-smi in a child that can be killed (`xml`), and a table of what fits one (`csv`).
 *
 * Without a GPU both sides read eight devices of a compiled library, each with 18 links. Its calls cost a system call and its
 * start nothing, while the real driver works for each program that attaches to it: the real nvidia-smi can only be dearer.
 * Where a GPU is, both sides are measured on it too, and `cpuRatio` is of the real ones.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { systemClock } from "../../common/clock.ts";
import { DoomedChildren } from "../../executor/gpus/children/doomed.ts";
import { linuxGroups } from "../../executor/gpus/children/groups.ts";
import { NodeSmiSource } from "../../executor/gpus/nvidia/node-smi/source.ts";
import { NVML_LIBRARIES } from "../../executor/gpus/nvidia/nvml/libraries.ts";
import { NvmlSource } from "../../executor/gpus/nvidia/nvml/source.ts";
import { NvidiaSmiSource } from "../../executor/gpus/nvidia/smi/source.ts";
import type { Depth, GpuSource } from "../../executor/gpus/source.ts";
import { compileSmi } from "../support/gpus/compiled-smi.ts";
import { FakeDriver, fakeGpus } from "../support/gpus/fake-driver.ts";

const GPUS = 8;
const LINKS = 18;
const EVERY_MS = 5_000;
/** As many as make a steady mean; the machine's clock for children counts in hundredths of a second. */
const SAMPLES = { worker: 100, csv: 50, xml: 8, paced: 6 };
/** Before that: a daemon runs for weeks, and its code is compiled by then. */
const WARM_UP = 200;
const TICKS_PER_MS = 0.1;
const never = new AbortController().signal;

interface Setup {
  readonly libraries: readonly string[];
  readonly smi: { readonly file: string; readonly path: string };
  readonly env: Readonly<Record<string, string>>;
}

interface Measured {
  readonly gpus: number;
  readonly workerCpuMs: number;
  readonly workerQuickCpuMs: number;
  readonly xmlCpuMs: number;
  readonly csvCpuMs: number;
  readonly cpuRatio: number;
  readonly csvRatio: number;
  /** Of one core, with a full sample every 5 s. */
  readonly corePercent: number;
}

export async function measureTelemetry(): Promise<Measured & { readonly basis: string; readonly fake: Measured }> {
  const fake = await measureFake();
  const real = existsSync("/dev/nvidiactl") ? await measure(realSetup()) : undefined;
  return { basis: real === undefined ? "fake" : "real", ...(real ?? fake), fake };
}

async function measureFake(): Promise<Measured> {
  const driver = new FakeDriver();
  const links = Array.from(
    { length: GPUS * LINKS },
    (_, n) => `link ${n % GPUS} ${Math.floor(n / GPUS)} 1 switch 00000000:c1:00.0`,
  );
  driver.set(fakeGpus(GPUS), links);
  const { file, folder, env } = compileSmi(driver);
  try {
    return await measure({ libraries: [driver.library], smi: { file, path: `${folder}:/usr/bin:/bin` }, env });
  } finally {
    driver.remove();
  }
}

function realSetup(): Setup {
  const path = "/usr/local/bin:/usr/bin:/bin";
  return { libraries: NVML_LIBRARIES, smi: { file: "nvidia-smi", path }, env: {} };
}

async function measure({ libraries, smi, env }: Setup): Promise<Measured> {
  const clock = systemClock();
  const parts = { doomed: new DoomedChildren({ groups: linuxGroups(), clock }), clock, random: Math.random };
  const worker = new NvmlSource({ libraries, env }, parts);
  const xml = new NodeSmiSource({ path: smi.path, env }, parts);
  const csv = new NvidiaSmiSource({ file: smi.file, env: { ...env, PATH: smi.path, LC_ALL: "C" } }, parts);
  try {
    const gpus = await read(worker, "full");
    if (gpus === 0) throw new Error("The worker read no device.");
    if ((await read(xml, "full")) !== gpus || (await read(csv, "full")) !== gpus)
      throw new Error("The sources do not agree on how many devices there are.");
    const xmlCpuMs = await costOf(xml, SAMPLES.xml);
    const csvCpuMs = await costOf(csv, SAMPLES.csv);
    await repeat(WARM_UP, () => read(worker, "full"));
    const workerCpuMs = await costOf(worker, SAMPLES.worker, worker.workerPid);
    await repeat(WARM_UP, () => read(worker, "quick"));
    const workerQuickCpuMs = await costOf(worker, SAMPLES.worker, worker.workerPid, "quick");
    const corePercent = await pacedPercent(worker);
    return {
      gpus,
      workerCpuMs: rounded(workerCpuMs),
      workerQuickCpuMs: rounded(workerQuickCpuMs),
      xmlCpuMs: rounded(xmlCpuMs),
      csvCpuMs: rounded(csvCpuMs),
      cpuRatio: rounded(xmlCpuMs / workerCpuMs),
      csvRatio: rounded(csvCpuMs / workerCpuMs),
      corePercent: Math.round(corePercent * 1000) / 1000,
    };
  } finally {
    await Promise.all([worker.close(), xml.close(), csv.close()]);
  }
}

async function read(source: GpuSource, depth: Depth): Promise<number> {
  return (await source.read(depth, never)).readings.length;
}

async function repeat(times: number, work: () => Promise<unknown>): Promise<void> {
  for (let done = 0; done < times; done += 1) await work();
}

/** CPU milliseconds of one sample: of this process, of its ended children, and of the child that lives. */
async function costOf(source: GpuSource, samples: number, living?: number, depth: Depth = "full"): Promise<number> {
  const before = cpuMs(living);
  await repeat(samples, () => read(source, depth));
  // A child counts once its end was waited for.
  if (living === undefined) await sleep(200);
  return (cpuMs(living) - before) / samples;
}

async function pacedPercent(worker: NvmlSource): Promise<number> {
  // What the samples before have left to be collected is not of these.
  await sleep(3 * EVERY_MS);
  const [began, before] = [performance.now(), cpuMs(worker.workerPid)];
  await repeat(SAMPLES.paced, async () => {
    await read(worker, "full");
    await sleep(EVERY_MS);
  });
  return ((cpuMs(worker.workerPid) - before) / (performance.now() - began)) * 100;
}

function cpuMs(living: number | undefined): number {
  return threadsMs("self") + endedChildrenMs() + (living === undefined ? 0 : threadsMs(String(living)));
}

/** To the nanosecond, of all threads that live: those of the worker and of this process all do. */
function threadsMs(pid: string): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const nanos = threads.map((tid) => Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, "utf8").split(" ")[0]));
  return nanos.reduce((sum, one) => sum + one, 0) / 1e6;
}

function endedChildrenMs(): number {
  const stat = readFileSync("/proc/self/stat", "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_MS;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
