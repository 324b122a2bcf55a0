/**
 * What the test suite needs of a machine besides the locked dependencies: packages, an engine, and images for pods.
 */
import { mkdir } from "node:fs/promises";

import { packagesStep } from "./apt.ts";
import { type EngineHandle, ensureEngine } from "./engine.ts";
import { kitPackages } from "./local-stack.ts";
import { applySteps, type Say } from "./step.ts";

const SET_UP_DEADLINE_MS = 30 * 60_000;
/** Real clients of the suite, a registry, a compiler for the library that plays a driver, a GPU of a kind, and its checks. */
const TEST_PACKAGES = [
  "openssh-client",
  "rsync",
  "mmdebstrap",
  "shellcheck",
  "procps",
  "iproute2",
  "nftables",
  "crun",
  "dnsmasq-base",
  "docker-registry",
  "gcc",
  "libc6-dev",
  "fscrypt",
  "restic",
  "btrfs-progs",
  "ocl-icd-libopencl1",
  "pocl-opencl-icd",
  "python3-nacl",
];

export async function prepareTests({ stateDir, say }: { stateDir: string; say: Say }): Promise<EngineHandle> {
  const signal = AbortSignal.timeout(SET_UP_DEADLINE_MS);
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const packages = [...(await kitPackages(signal)), ...TEST_PACKAGES];
  await applySteps([packagesStep("Installing what the tests need", packages, signal)], say);
  return ensureEngine({ stateDir, say, signal });
}
