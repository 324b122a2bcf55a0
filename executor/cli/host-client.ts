/**
 * How commands reach the executor that runs on this machine.
 */
import { createHttpClient, type HttpClient } from "../../common/http-client.ts";
import { hostApi } from "../../protocol/host-api.ts";
import { controlSocket, loadExecutorConfig } from "../config.ts";

export type HostClient = HttpClient<typeof hostApi>;

const TIMEOUT_MS = 6 * 3_600_000;

/** Runs `work` with a client of the executor that the configuration names. Throws `connection-failed` when none runs. */
export async function withHost(configPath: string, work: (host: HostClient) => Promise<void>): Promise<void> {
  const socketPath = controlSocket(await loadExecutorConfig(configPath));
  const client = createHttpClient(hostApi, { at: { socketPath }, timeoutMs: TIMEOUT_MS });
  try {
    await work(client);
  } finally {
    await client.close();
  }
}
