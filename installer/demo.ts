/**
 * The demo: a provider, a validator and a renter on one machine. It rents a pod, logs in with the machine's own ssh,
 * copies a file each way, shows how long each stage took, and ends everything that it started.
 */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { z } from "zod";

import { exec } from "../common/exec.ts";
import { AppError } from "../protocol/errors.ts";
import { PodView, type Timeline } from "../protocol/pod.ts";
import { packagesStep } from "./apt.ts";
import { ensureEngine } from "./engine.ts";
import { kitPackages, type Stack, startStack } from "./local-stack.ts";
import { ensurePodImage } from "./pod-image.ts";
import { applySteps, type Say } from "./step.ts";

export interface DemoOptions {
  readonly image: string;
  readonly gpus: string;
  readonly stateDir: string;
  readonly once: boolean;
  readonly say: Say;
  /** Aborts at Ctrl-C. */
  readonly signal: AbortSignal;
}

export interface DemoResult {
  readonly pod: {
    readonly podId: string;
    readonly image: string;
    readonly ssh: string;
    readonly sshCommandOutput: string;
    readonly copiedBytes: number;
  };
  readonly timelineMs: Timeline;
  readonly cleanedUp: boolean;
}

const SSH_DEADLINE_MS = 30_000;
const COPY_BYTES = 1_048_576;
const SESSION_MS = 24 * 3_600_000;
const RENT_MS = 10 * 60_000;
const PORTS = { first: 42_000, count: 100 };

export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { say, stateDir, signal: interrupted } = options;
  // Cleaning up must go on after Ctrl-C, so the work has a limit of its own and the stages look for the interruption.
  const signal = AbortSignal.timeout(SESSION_MS);
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const packages = [...(await kitPackages(signal)), "openssh-client", "nftables"];
  await applySteps([packagesStep("Installing what pods need on a host", packages, signal)], say);
  const engine = await ensureEngine({ stateDir, say, signal });
  let stack: Stack | undefined;
  let result: Omit<DemoResult, "cleanedUp">;
  let cleanedUp = false;
  try {
    const image = await ensurePodImage(options.image, { say, signal });
    interrupted.throwIfAborted();
    say("Starting the agent and the executor ...");
    stack = await startStack({ stateDir, simulate: options.gpus, ports: PORTS, signal });
    interrupted.throwIfAborted();
    result = await rentAndUse(stack, image, options);
    if (!options.once) await untilInterrupted(options);
  } finally {
    say("Ending the pod, the executor and the agent, and Docker if it was started here ...");
    cleanedUp = stack !== undefined && (await endPods(stack));
    await stack?.stop();
    await engine.stop();
    say("Everything that was started has ended.");
  }
  return { ...result, cleanedUp };
}

async function rentAndUse(stack: Stack, image: string, options: DemoOptions): Promise<Omit<DemoResult, "cleanedUp">> {
  const { say, stateDir } = options;
  const signal = AbortSignal.timeout(RENT_MS);
  const keyFile = join(stateDir, "renter_ed25519");
  const knownHosts = join(stateDir, "known_hosts");
  await rm(keyFile, { force: true });
  await exec("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f", keyFile], {
    signal,
    timeoutMs: 10_000,
  });
  say(`Renting a pod of ${image} as a development validator ...`);
  const wish = ["--image", image, "--gpus", "1", "--memory", "512MiB", "--ssh-key", `${keyFile}.pub`, "--lease", "24h"];
  const { podId, status } = PodView.parse(await stack.asValidator(["rent", ...wish, "--wait"]));
  const { ssh, timelineMs } = status;
  if (status.phase !== "running" || ssh === undefined) {
    throw new AppError("ssh-not-ready", { message: `The pod is ${status.phase}: ${status.reason?.message ?? ""}` });
  }
  await writeFile(knownHosts, `[${ssh.host}]:${ssh.port} ${ssh.hostKey}\n`);
  const shared = [
    "-i",
    keyFile,
    "-o",
    `UserKnownHostsFile=${knownHosts}`,
    "-o",
    "IdentitiesOnly=yes",
    "-o",
    "BatchMode=yes",
  ];
  const target = `${ssh.user}@${ssh.host}`;
  const command = [...shared, "-p", String(ssh.port), target, "uname -a && id && ls /"];
  const login = await exec("ssh", command, { signal, timeoutMs: SSH_DEADLINE_MS });
  const copiedBytes = await copyBothWays({ shared, port: ssh.port, target, signal });
  const line = `ssh -i ${keyFile} -o UserKnownHostsFile=${knownHosts} -p ${ssh.port} ${target}`;
  say(`A renter logged in: ${login.stdout.split("\n")[0] ?? ""}`);
  say(
    Object.entries(timelineMs)
      .map(([stage, ms]) => `${stage} ${Math.round(Number(ms))} ms`)
      .join(", "),
  );
  say(line);
  return { pod: { podId, image, ssh: line, sshCommandOutput: login.stdout, copiedBytes }, timelineMs };
}

interface Copy {
  readonly shared: readonly string[];
  readonly port: number;
  readonly target: string;
  readonly signal: AbortSignal;
}

/** Sends a random file, fetches it back, and compares. Returns its size. */
async function copyBothWays({ shared, port, target, signal }: Copy): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), "lium-demo-"));
  try {
    const sent = randomBytes(COPY_BYTES);
    await writeFile(join(dir, "sent"), sent);
    const scp = ["-q", ...shared, "-P", String(port)];
    await exec("scp", [...scp, join(dir, "sent"), `${target}:/tmp/demo-file`], { signal, timeoutMs: SSH_DEADLINE_MS });
    await exec("scp", [...scp, `${target}:/tmp/demo-file`, join(dir, "fetched")], {
      signal,
      timeoutMs: SSH_DEADLINE_MS,
    });
    const fetched = await readFile(join(dir, "fetched"));
    if (!fetched.equals(sent)) throw new AppError("internal", { message: "A copied file came back changed." });
    return fetched.length;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Ends every pod of the development validator, and asks the engine itself whether anything is left of them. */
async function endPods(stack: Stack): Promise<boolean> {
  const { pods } = z.object({ pods: z.array(PodView) }).parse(await stack.asValidator(["pods"]));
  const options = { signal: AbortSignal.timeout(60_000), timeoutMs: 30_000 };
  let left = "";
  for (const { podId } of pods) {
    await stack.asValidator(["terminate", podId, "--wait"]);
    left += (await exec("docker", ["ps", "--all", "--quiet", "--filter", `label=lium.pod=${podId}`], options)).stdout;
  }
  return left.trim() === "";
}

async function untilInterrupted({ say, signal }: DemoOptions): Promise<void> {
  say("The pod stays up until Ctrl-C.");
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
