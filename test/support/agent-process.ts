/**
 * The agent as a process of its own, set up for development in a folder, with a validator that it serves.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { validatorClient, type ValidatorClient } from "../../agent/cli/validator-client.ts";
import { initAgent } from "../../agent/init.ts";
import { createHotkeyFile } from "../../common/hotkey.ts";
import { createHttpClient, type HttpClient } from "../../common/http-client.ts";
import { operatorApi } from "../../protocol/operator-api.ts";

const CLI = join(import.meta.dirname, "../../agent/cli/main.ts");
const LOOK_EVERY_MS = 10;

export interface Listeners {
  readonly validatorUrl: string;
  readonly linkUrl: string;
  readonly operatorSocket: string;
}

export class AgentProcess {
  readonly configPath: string;
  readonly validatorKeyFile: string;
  readonly #listenersPath: string;
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  /** Everything it logged. */
  log = "";

  private constructor(dir: string, env: NodeJS.ProcessEnv) {
    this.configPath = join(dir, "agent.toml");
    this.validatorKeyFile = join(dir, "validator.json");
    this.#listenersPath = join(dir, "state", "listeners.json");
    this.#env = env;
  }

  /** Sets an agent up in the folder. `env` goes over its configuration. */
  static async init(dir: string, env: NodeJS.ProcessEnv = {}): Promise<AgentProcess> {
    const agent = new AgentProcess(dir, env);
    const { configPath, validatorKeyFile } = agent;
    await initAgent({ configPath, stateDir: join(dir, "state"), network: "development" });
    const { ss58 } = await createHotkeyFile(validatorKeyFile);
    const text = await readFile(configPath, "utf8");
    await writeFile(configPath, `${text}\n[[validator.allow]]\nhotkey = "${ss58}"\n`);
    return agent;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when it serves. Throws with its log when it ends before. */
  async start(): Promise<Listeners> {
    await rm(this.#listenersPath, { force: true });
    const env = { ...process.env, ...this.#env };
    const child = spawn(process.execPath, [CLI, "serve", "--config", this.configPath], { env });
    child.stderr.on("data", (text: Buffer) => (this.log += text.toString()));
    this.#child = child;
    while (!existsSync(this.#listenersPath)) {
      if (child.exitCode !== null) throw new Error(`the agent ended with ${child.exitCode}: ${this.log}`);
      await pause(LOOK_EVERY_MS);
    }
    return JSON.parse(await readFile(this.#listenersPath, "utf8")) as Listeners;
  }

  /** Sends the signal and resolves with how it ended. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<number | string | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
    const ended = once(child, "exit");
    child.kill(signal);
    const [code, by] = await ended;
    return code ?? by;
  }

  operator({ operatorSocket }: Listeners): HttpClient<typeof operatorApi> {
    return createHttpClient(operatorApi, { at: { socketPath: operatorSocket }, timeoutMs: 10_000 });
  }

  validator({ validatorUrl }: Listeners): Promise<ValidatorClient> {
    return validatorClient({ url: validatorUrl, hotkeyFile: this.validatorKeyFile });
  }
}
