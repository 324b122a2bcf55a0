/**
 * A driver that is played by a compiled library: its devices are lines of a file, and may be changed while it is used.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export type FakeState = "ok" | "lost" | "reset" | "fail" | "hang" | "crash" | "hang-handle" | "slow";

export interface FakeGpu {
  readonly uuid: string;
  readonly address: string;
  readonly state?: FakeState;
  readonly usedMib?: number;
  readonly util?: number;
}

/** The same for the same number. */
export function fakeUuid(number: number, kind = "GPU"): string {
  return `${kind}-${number.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`;
}

export function fakeGpus(count: number): FakeGpu[] {
  return Array.from({ length: count }, (_, index) => ({
    uuid: fakeUuid(index + 1),
    address: `0000:${(0x53 + index).toString(16)}:00.0`,
  }));
}

export class FakeDriver {
  readonly folder = mkdtempSync(join(tmpdir(), "fake-nvml-"));
  readonly library = join(this.folder, "libnvidia-ml.so.1");
  readonly stateFile = join(this.folder, "state");

  constructor() {
    const source = fileURLToPath(new URL("./fake-nvml.c", import.meta.url));
    execFileSync("cc", ["-shared", "-fPIC", "-O1", "-o", this.library, source, "-lpthread"]);
    this.set([]);
  }

  /** For whoever loads the library. */
  get env(): Record<string, string> {
    return { FAKE_NVML_STATE: this.stateFile };
  }

  set(gpus: readonly FakeGpu[], more: readonly string[] = [], version = "580.105.08"): void {
    const lines = gpus.map(({ uuid, address, state = "ok", usedMib = 0, util = 0 }, index) =>
      ["gpu", index, uuid, `0000${address.toUpperCase()}`, 81559, usedMib, 29 + index, 68_570, util, state].join(" "),
    );
    writeFileSync(`${this.stateFile}.new`, [`driver ${version}`, ...lines, ...more, ""].join("\n"));
    renameSync(`${this.stateFile}.new`, this.stateFile);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
