/**
 * A place where a host may be hurt: process, network and mount namespaces of their own, whose end takes along whatever
 * was started, mounted or configured in them, also after a `kill -9` of the test. Only cgroups can stay behind; they carry
 * the pid of whom they belong to, and the next arena removes those of the dead.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";

import type { FromStage, ToStage } from "./messages.ts";
import { arenasWithCgroups, removeCgroups, thawAll } from "./processes.ts";

const PREFIX = "lium-arena-";
const STAGE = join(import.meta.dirname, "stage.ts");
const NAMESPACES = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"];
const OPEN_MS = 120_000;
const CLOSE_MS = 30_000;

export class Arena {
  readonly #stage: ChildProcess;
  readonly #name: string;
  #said = "";

  private constructor(stage: ChildProcess, name: string) {
    this.#stage = stage;
    this.#name = name;
    for (const stream of [stage.stdout, stage.stderr])
      stream?.on("data", (chunk: Buffer) => (this.#said = (this.#said + chunk.toString("utf8")).slice(-20_000)));
  }

  static async open(): Promise<Arena> {
    removeLeftovers();
    const name = `${PREFIX}${process.pid}`;
    // docker-init reaps whatever loses its parent in here.
    const command = [...NAMESPACES, "docker-init", "--", process.execPath, STAGE, name];
    const arena = new Arena(spawn("unshare", command, { stdio: ["ignore", "pipe", "pipe", "ipc"] }), name);
    await arena.#hear(OPEN_MS);
    return arena;
  }

  /** Plays a fault by its name. Rejects with what broke; the arena should be closed then. */
  async play(message: ToStage): Promise<void> {
    this.#stage.send(message);
    const heard = await this.#hear(message.limitMs + CLOSE_MS);
    if ("failure" in heard && heard.failure !== undefined) throw new Error(heard.failure);
  }

  async close(): Promise<void> {
    thawAll(this.#name);
    if (this.#stage.exitCode === null && this.#stage.signalCode === null) {
      const ended = once(this.#stage, "exit", { signal: AbortSignal.timeout(CLOSE_MS) });
      this.#stage.kill("SIGKILL");
      await ended;
    }
    removeLeftovers([this.#name]);
  }

  async #hear(withinMs: number): Promise<FromStage> {
    const heard = Promise.withResolvers<FromStage>();
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, AbortSignal.timeout(withinMs)]);
    once(this.#stage, "message", { signal }).then(([message]) => heard.resolve(message as FromStage), heard.reject);
    once(this.#stage, "exit", { signal }).then(
      () => heard.reject(new Error(`the stage ended:\n${this.#said}`)),
      () => undefined,
    );
    try {
      return await heard.promise;
    } finally {
      over.abort();
    }
  }
}

/** Removes the cgroups of arenas whose test is gone. What is frozen in there is let go first, and so can end. */
function removeLeftovers(also: readonly string[] = []): void {
  const dead = arenasWithCgroups(PREFIX).filter((name) => !existsSync(`/proc/${name.slice(PREFIX.length)}`));
  for (const name of [...dead, ...also]) {
    thawAll(name);
    removeCgroups(name);
  }
}
