/**
 * A Docker Engine that answers: the one that runs, else the one that is installed, else Debian's or Ubuntu's own packages.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";

import { writeFileAtomic } from "../common/atomic-file.ts";
import { exec } from "../common/exec.ts";
import { AppError } from "../protocol/errors.ts";
import { newerDebianStep, packagesStep } from "./apt.ts";
import { applySteps, type Say, type Step } from "./step.ts";

const DOCKER_SOCKET = "/var/run/docker.sock";
const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 20_000;
const POLL_MS = 200;

/** CDI hands GPUs over by UUID; live-restore lets containers outlive a restart of the engine. */
const DAEMON_CONFIG = { features: { cdi: true }, "live-restore": true };

export interface EngineHandle {
  /** Ends the engine if this call started it; else does nothing. */
  stop(): Promise<void>;
}

export async function ensureEngine(options: {
  stateDir: string;
  say: Say;
  signal: AbortSignal;
}): Promise<EngineHandle> {
  const { say, signal } = options;
  if (await engineAnswers()) return { stop: async () => undefined };
  await applySteps(await installSteps(signal), say);
  if (await isSystemdRunning()) {
    say("Starting Docker ...");
    await exec("systemctl", ["enable", "--now", "docker.service"], { signal, timeoutMs: START_DEADLINE_MS });
    await untilAnswers(signal);
    return { stop: async () => undefined };
  }
  return startDaemon(options);
}

async function installSteps(signal: AbortSignal): Promise<Step[]> {
  const installed = await exec("dockerd", ["--version"], { signal, timeoutMs: 10_000 }).catch(() => undefined);
  if (installed !== undefined) return [];
  const release = await readFile("/etc/os-release", "utf8").catch(() => "");
  const name = "Installing Docker Engine";
  // Debian 12 ships an engine without CDI; the next release's runs on it, with Debian 12's own runc.
  if (/^VERSION_CODENAME=bookworm$/m.test(release) && /^ID=debian$/m.test(release)) {
    const packages = ["docker.io/trixie", "containerd/trixie", "docker-cli/trixie", "runc", "iptables"];
    return [newerDebianStep("bookworm", "trixie"), packagesStep(name, packages, signal)];
  }
  return [packagesStep(name, ["docker.io", "iptables"], signal)];
}

async function startDaemon({
  stateDir,
  say,
  signal,
}: {
  stateDir: string;
  say: Say;
  signal: AbortSignal;
}): Promise<EngineHandle> {
  say("Starting Docker ...");
  const configPath = join(stateDir, "docker-daemon.json");
  await writeFileAtomic(configPath, JSON.stringify(DAEMON_CONFIG), 0o644);
  const hasOwnConfig = (await readFile("/etc/docker/daemon.json", "utf8").catch(() => undefined)) !== undefined;
  const logPath = join(stateDir, "dockerd.log");
  const log = await open(logPath, "a");
  const daemon = spawn("dockerd", hasOwnConfig ? [] : ["--config-file", configPath], {
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
  });
  await log.close();
  const failed = new Promise<never>((_, reject) => {
    daemon.once("error", reject);
    daemon.once("exit", (code) =>
      reject(new AppError("engine-unavailable", { message: `dockerd ended (${code}); see ${logPath}` })),
    );
  });
  failed.catch(() => undefined);
  await Promise.race([untilAnswers(signal), failed]);
  return { stop: () => stopDaemon(daemon) };
}

function stopDaemon(daemon: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (daemon.exitCode !== null) return resolve();
    const timer = setTimeout(() => daemon.kill("SIGKILL"), STOP_DEADLINE_MS);
    daemon.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
    daemon.kill("SIGTERM");
  });
}

async function untilAnswers(signal: AbortSignal): Promise<void> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(START_DEADLINE_MS)]);
  while (!(await engineAnswers())) {
    if (deadline.aborted) throw new AppError("engine-unavailable", { message: "Docker did not come up in time." });
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function engineAnswers(): Promise<boolean> {
  return new Promise((resolve) => {
    const ping = request({ socketPath: DOCKER_SOCKET, path: "/_ping", timeout: 3_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    ping.on("error", () => resolve(false));
    ping.on("timeout", () => ping.destroy());
    ping.end();
  });
}

async function isSystemdRunning(): Promise<boolean> {
  return (await readFile("/proc/1/comm", "utf8").catch(() => "")).trim() === "systemd";
}
