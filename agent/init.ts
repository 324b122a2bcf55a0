/**
 * Sets an agent up: its configuration, its certificate, and a hotkey when none is given. What is there is used or
 * refused, never overwritten: hosts know the agent by its certificate, validators by its hotkey.
 */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

import { writeFileAtomic } from "../common/atomic-file.ts";
import { createHotkeyFile, loadHotkey } from "../common/hotkey.ts";
import { guessOwnAddress } from "../common/own-address.ts";
import { AppError } from "../protocol/errors.ts";
import { findFreePorts, isLoopback, urlOf } from "./addresses.ts";
import { AgentConfig } from "./config.ts";
import { loadCertificate, makeCertificate, saveCertificate } from "./link/certificate.ts";

export interface InitOptions {
  readonly configPath: string;
  readonly stateDir: string;
  readonly network: AgentConfig["network"];
  /** The name or address by which others reach this machine; guessed when left out. */
  readonly publicHost?: string | undefined;
  /** A plain hotkey file of btcli; one is made in the state folder when left out. */
  readonly hotkeyFile?: string | undefined;
}

export interface InitResult {
  /** ss58. */
  readonly hotkey: string;
  readonly configPath: string;
  readonly certificateFingerprint: string;
}

/** Throws `already-exists` when there is a configuration, `hotkey-file-invalid` when the hotkey cannot be loaded. */
export async function initAgent(options: InitOptions): Promise<InitResult> {
  const configPath = resolve(options.configPath);
  const stateDir = resolve(options.stateDir);
  if (existsSync(configPath)) {
    throw new AppError("already-exists", { message: `${configPath} exists; nothing was changed.` });
  }
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  await mkdir(dirname(configPath), { recursive: true });
  const hotkeyFile = resolve(options.hotkeyFile ?? join(stateDir, "hotkey.json"));
  const isMissing = options.hotkeyFile === undefined && !existsSync(hotkeyFile);
  const { ss58: hotkey } = await (isMissing ? createHotkeyFile(hotkeyFile) : loadHotkey(hotkeyFile));
  const certificate = (await loadCertificate(stateDir)) ?? (await makeCertificate(Date.now()));
  await saveCertificate(stateDir, certificate);
  const text = await configText({ ...options, stateDir, hotkeyFile });
  await writeFileAtomic(configPath, text, 0o644);
  return { hotkey, configPath, certificateFingerprint: certificate.fingerprint };
}

interface ConfigFacts extends InitOptions {
  readonly hotkeyFile: string;
}

async function configText({ network, stateDir, publicHost, hotkeyFile }: ConfigFacts): Promise<string> {
  const isDevelopment = network === "development";
  const reached = publicHost ?? (isDevelopment ? "127.0.0.1" : guessOwnAddress());
  const host = isLoopback(reached) ? "127.0.0.1" : "0.0.0.0";
  const usual = AgentConfig.parse({ hotkey: { file: hotkeyFile } });
  const ports = [usual.validator.port, usual.link.port];
  const [validatorPort = 0, linkPort = 0] = isDevelopment ? await findFreePorts(host, ports.length) : ports;
  const socketPath = stateDir === usual.stateDir ? usual.operator.socketPath : join(stateDir, "agent.sock");
  const publicUrl = (scheme: "http" | "wss", port: number): string =>
    reached === host
      ? `# publicUrl = "..."    # made of host and port when left out`
      : `publicUrl = ${quoted(urlOf(scheme, { host: reached, port }))}`;
  return `# The agent of Lium Provider. Every key can also be set by a variable: LIUM_AGENT_LINK_PORT sets port in [link].
# Restart the agent after a change.

# finney is the real network, test the test network. Only development offers simulated GPUs.
network = ${quoted(network)}
# The agent's memory: hosts, pods, events, and the key of its certificate. Back this folder up.
stateDir = ${quoted(stateDir)}
# debug, info, warn or error.
logLevel = "info"

# Who this agent is on the network. Requests of validators are addressed to this hotkey.
[hotkey]
file = ${quoted(hotkeyFile)}

# Where executors, one on every GPU host, reach this agent. Join tokens name publicUrl.
[link]
host = ${quoted(host)}
port = ${linkPort}
${publicUrl("wss", linkPort)}

# For \`lium-agent\` commands on this machine. Whoever may open this socket is the operator.
[operator]
socketPath = ${quoted(socketPath)}

# Where validators reach this agent.
[validator]
host = ${quoted(host)}
port = ${validatorPort}
${publicUrl("http", validatorPort)}
# Requests a minute from one address and of one hotkey, connections of all, and the largest body.
rateLimitPerMinute = 1500
hotkeyRateLimitPerMinute = 3000
maxConnections = 1024
bodyLimitBytes = 1048576

# What validators are told of what they can rent, and what you ask: US dollars for one GPU for one hour.
[offers]
# region = "DE"
# pricePerGpuHour = 0.50    # of models that [offers.prices] does not name
# [offers.prices]           # by a part of the model's name
# "H100" = 2.49
# [offers.hosts.my-host]    # by the host's name or id
# region = "US"
# downMbps = 1000
# upMbps = 1000
# maintenance = true        # pods go on, new ones are refused

# Who is served. Add one block for each validator:
# [[validator.allow]]
# hotkey = "5..."
# scheme = "sr25519"    # or "ed25519"
`;
}

/** A JSON string is a TOML string. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
