/**
 * The way of this host's accelerators into pods, watched from the start of the executor to its end.
 */
import type { Base } from "../../base.ts";
import { Passthrough } from "./passthrough.ts";
import { nvidiaToolkitVersion, readSetup } from "./read-setup.ts";

type Parts = Pick<Base, "config" | "runtime" | "gpus" | "clock" | "log" | "life">;

/** Resolves after a first look at the host, or a few seconds into one that hangs. */
export async function startPassthrough({ config, runtime, gpus, clock, log, life }: Parts): Promise<Passthrough> {
  const options = { root: "/", podRuntime: config.isolation.runtime };
  const deps = { engine: (signal: AbortSignal) => runtime.info(signal), toolkitVersion: nvidiaToolkitVersion };
  const passthrough = new Passthrough({
    inventory: gpus,
    readSetup: (snapshot, signal) => readSetup(snapshot, options, deps, signal),
    clock,
    log,
  });
  life.add("passthrough", () => passthrough.close());
  await passthrough.start();
  return passthrough;
}
