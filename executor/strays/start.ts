/**
 * The strays of this host, made over the real engine and machine. Whoever makes them starts and closes them.
 */
import { join } from "node:path";

import { createKeyedLock } from "../../common/keyed-lock.ts";
import { createDockerStrays } from "../docker/dockerode-strays.ts";
import { endContainer, type EndingDeps } from "../pods/ending.ts";
import type { Ledger } from "../pods/ledger.ts";
import type { StraysConfig } from "./config.ts";
import type { Known } from "./decide.ts";
import { linuxThings } from "./linux-things.ts";
import { Strays } from "./strays.ts";

export interface StraysInput extends EndingDeps {
  readonly config: StraysConfig;
  readonly stateDir: string;
  readonly runDir: string;
  readonly socketPath: string;
  /** The executor's public key, as in the labels. */
  readonly host: string;
  readonly graceSeconds: number;
  /** What the pods say; undefined until the ledger and the engine's containers have been read. */
  readonly known: () => Pick<Known, "podState" | "networks"> | undefined;
  readonly ledger: Pick<Ledger, "getMeta" | "setMeta">;
}

const MEMORY = "strays-first-seen";

export function makeStrays(input: StraysInput): Strays {
  const { config, stateDir, runDir, socketPath, host, graceSeconds, ledger, clock } = input;
  const log = input.log.child({ part: "strays" });
  return new Strays(
    {
      graceMs: config.graceSeconds * 1000,
      everyMs: config.everySeconds * 1000,
      podFolders: [join(stateDir, "pods"), join(runDir, "secrets")],
    },
    {
      objects: createDockerStrays({ socketPath }),
      things: linuxThings(),
      end: (name, signal) => endContainer({ name, graceSeconds, ports: [] }, { ...input, log }, signal),
      known: () => {
        const known = input.known();
        return known && { ...known, host, ownFolders: [stateDir, runDir] };
      },
      memory: { load: () => ledger.getMeta(MEMORY), save: (text) => ledger.setMeta(MEMORY, text) },
      lock: createKeyedLock(),
      clock,
      log,
    },
  );
}
