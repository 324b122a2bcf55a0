/**
 * nvidia-smi as a program that is compiled here and asks the library of a FakeDriver; see fake-smi.c for what it leaves out.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { FakeDriver } from "./fake-driver.ts";

export interface CompiledSmi {
  /** The folder that it is in, which goes with the driver's. */
  readonly folder: string;
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
}

export function compileSmi(driver: FakeDriver): CompiledSmi {
  const file = join(driver.folder, "nvidia-smi");
  const source = fileURLToPath(new URL("./fake-smi.c", import.meta.url));
  execFileSync("cc", ["-O1", "-o", file, source, "-ldl"]);
  return { folder: driver.folder, file, env: { ...driver.env, FAKE_NVML_LIBRARY: driver.library } };
}
