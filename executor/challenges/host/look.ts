/**
 * What the kernel says of this machine, asked without the libraries that the executor's own facts come from.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, readdir, readFile, realpath, statfs } from "node:fs/promises";
import { release, totalmem } from "node:os";
import { join } from "node:path";

import type { InventoryResult } from "../../../protocol/challenge/host-messages.ts";
import { LIBRARY_FOLDERS } from "../../gpus/nvidia/procfs.ts";
import type { KernelWord } from "./inventory.ts";

const PCI = "/sys/bus/pci/devices";
const ACCELERATORS = /^0x(0300|0302|0380|1200)/;
const VENDORS: ReadonlySet<string> = new Set(["0x10de", "0x1002", "0x8086", "0x1da3"]);

/** `diskPath` is on the file system that pods fill. */
export async function askKernel(diskPath: string): Promise<KernelWord> {
  const [disk, hasTun, pciAddresses, cpus] = await Promise.all([
    statfs(diskPath),
    access("/dev/net/tun").then(
      () => true,
      () => false,
    ),
    listAccelerators().catch(() => undefined),
    countCpus(),
  ]);
  return {
    cpus,
    memoryBytes: totalmem(),
    release: release(),
    diskBytes: disk.blocks * disk.bsize,
    freeDiskBytes: disk.bavail * disk.bsize,
    hasTun,
    pciAddresses,
  };
}

/** The library that programs in pods are given, as Lium's validators compare it; undefined without one. */
export async function readNvml(): Promise<InventoryResult["nvml"] | undefined> {
  for (const folder of LIBRARY_FOLDERS) {
    const file = await realpath(join(folder, "libnvidia-ml.so.1")).catch(() => "");
    const version = /libnvidia-ml\.so\.(\d+(?:\.\d+)+)$/.exec(file)?.[1];
    if (version === undefined) continue;
    const [md5, sha256] = [createHash("md5"), createHash("sha256")];
    for await (const chunk of createReadStream(file)) {
      md5.update(chunk);
      sha256.update(chunk);
    }
    return { version, md5: md5.digest("hex"), sha256: sha256.digest("hex") };
  }
  return undefined;
}

/** `0-7,16-23`: what is online. */
async function countCpus(): Promise<number> {
  const ranges = (await readFile("/sys/devices/system/cpu/online", "utf8")).trim().split(",");
  return ranges.reduce((sum, range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return sum + last - first + 1;
  }, 0);
}

async function listAccelerators(): Promise<string[]> {
  const names = await readdir(PCI);
  const read = (name: string, file: string): Promise<string> => readFile(join(PCI, name, file), "utf8");
  const found = await Promise.all(
    names.map(async (name) => {
      const [kind, vendor] = await Promise.all([read(name, "class"), read(name, "vendor")]);
      return ACCELERATORS.test(kind) && VENDORS.has(vendor.trim()) ? [name.toLowerCase()] : [];
    }),
  );
  return found.flat();
}
