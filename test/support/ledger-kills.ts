/**
 * Kills a process (ledger-writer.ts) again and again while it works on a ledger, and looks each time at what is left.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Random } from "./arena/random.ts";

export interface Killing {
  readonly path: string;
  readonly mode: "write" | "migrate" | "salvage";
  readonly kills: number;
  readonly random: Random;
  /** What the process promised before it died, line by line. */
  readonly look: (said: readonly string[]) => void;
}

const WRITER = new URL("ledger-writer.ts", import.meta.url).pathname;
/** The process works for up to so long before it dies; a write takes a fraction of a millisecond to some milliseconds. */
const LONGEST_LIFE_MS = 25;

export async function killWhileItWorks({ path, mode, kills, random, look }: Killing): Promise<void> {
  for (let kill = 0; kill < kills; kill += 1) {
    const writer = spawn(process.execPath, [WRITER, path, mode], {
      stdio: ["ignore", "pipe", "inherit"],
      // Most of such a process's life is the loading of its code.
      env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "lium-compile-cache") },
    });
    const closed = once(writer, "close");
    let said = "";
    writer.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (said === "") setTimeout(() => writer.kill("SIGKILL"), random.int(0, LONGEST_LIFE_MS));
      said += text;
    });
    await closed;
    if (writer.signalCode !== "SIGKILL") throw new Error(`the writer ended by itself: ${writer.exitCode}`);
    look(said.split("\n").slice(0, -1));
  }
}
