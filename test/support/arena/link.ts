/**
 * The link between the machine's executor and the agent, to be cut and joined. Renters' connections are not touched.
 */
import { exec } from "../../../common/exec.ts";
import { pause } from "./wait.ts";

const TABLE = ["inet", "cut_link"];
const LIMITS = { timeoutMs: 10_000 };

export class Link {
  readonly #agentPort: number;

  constructor(agentPort: number) {
    this.#agentPort = agentPort;
  }

  /** From now on no packet passes in either direction, and nobody is told. */
  async cut(): Promise<void> {
    await nft(["add", "table", ...TABLE]);
    const chain = (name: string) => [...TABLE, name];
    for (const [name, field] of [
      ["input", "dport"],
      ["output", "sport"],
    ] as const) {
      await nft(["add", "chain", ...chain(name), `{ type filter hook ${name} priority 0; }`]);
      await nft(["add", "rule", ...chain(name), "tcp", field, String(this.#agentPort), "drop"]);
    }
  }

  async join(): Promise<void> {
    await nft(["delete", "table", ...TABLE]);
  }

  async cutFor(ms: number): Promise<void> {
    await this.cut();
    await pause(ms);
    await this.join();
  }
}

async function nft(args: readonly string[]): Promise<void> {
  await exec("nft", args, { ...LIMITS, signal: AbortSignal.timeout(LIMITS.timeoutMs) });
}
