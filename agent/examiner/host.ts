/**
 * Challenges a host, and looks at what it opens: its ports, its stream, its pod.
 */
import { verifyEd25519 } from "../../common/ed25519.ts";
import type { ChallengeView } from "../../protocol/challenge/exchange.ts";
import { isPortToken, streamDigest, streamKey } from "../../protocol/challenge/host-checks.ts";
import {
  HostChallenge,
  type HostResult,
  type HostTask,
  type InventoryResult,
  nameOf,
  type PublicPort,
} from "../../protocol/challenge/host-messages.ts";
import { digestOf } from "../../protocol/challenge/messages.ts";
import { wrongSignature } from "../../protocol/challenge/signing.ts";
import { AppError } from "../../protocol/errors.ts";
import type { PodId } from "../../protocol/ids.ts";
import { begin, envelope, type Examiner, letGo, SIGNATURE_CHECKS, untilPhase } from "./examiner.ts";
import { askDatagram, askPort, pullStream, readBanner } from "./looks.ts";

export interface HostQuestion<T extends HostTask = HostTask> {
  readonly hostKey: string;
  /** Where its ports are reached. */
  readonly address: string;
  readonly task: T;
  readonly answerWithinMs: number;
}

type Of<K extends HostTask["kind"]> = Extract<HostTask, { readonly kind: K }>;
type ResultOf<K extends HostTask["kind"]> = Extract<HostResult, { readonly kind: K }>;

export interface PortFinding extends PublicPort {
  readonly ok: boolean;
  /** Why not. */
  readonly message?: string;
}

export interface DiskFinding {
  readonly ok: boolean;
  readonly bytes: number;
  /** As the host says. */
  readonly writeBytesPerSecond: number;
  readonly readBytesPerSecond: number;
  /** From the question to the answer, by this side's clock. */
  readonly tookMs: number;
}

export interface BandwidthFinding {
  readonly ok: boolean;
  readonly bytes: number;
  readonly tookMs: number;
  readonly mbps: number;
}

export interface PodFinding {
  readonly ok: boolean;
  readonly podId: PodId;
  readonly ssh: string;
  /** From the question to a pod that can be used. */
  readonly readyMs: number;
  /** What its SSH server says first. */
  readonly banner: string;
}

const LOOK_MS = 10_000;

/** What the host says of itself, with whose signatures were checked. */
export function askInventory(
  question: Omit<HostQuestion<Of<"inventory">>, "task">,
  examiner: Examiner,
  signal: AbortSignal,
): Promise<InventoryResult> {
  return ask({ ...question, task: { kind: "inventory" } }, examiner, signal, async ({ result }) => result);
}

export function probePorts(
  question: HostQuestion<Of<"ports">>,
  examiner: Examiner,
  signal: AbortSignal,
): Promise<readonly PortFinding[]> {
  const { hostKey, address } = question;
  return ask(question, examiner, signal, async ({ id, result }) => {
    const looked = result.open.map(async (port): Promise<PortFinding> => {
      const at = { host: address, port: port.port };
      const look = port.protocol === "udp" ? askDatagram : askPort;
      try {
        const token = await look(at, id, AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]));
        if (isPortToken({ challengeId: id, hostKey, port }, token, verifyHost)) return { ...port, ok: true };
        return { ...port, ok: false, message: "What answers there is not this host." };
      } catch (error) {
        return { ...port, ok: false, message: error instanceof Error ? error.message : String(error) };
      }
    });
    const refused = result.refused.map(({ port, protocol, code, message }) => ({
      port,
      protocol,
      ok: false,
      message: `${code}: ${message}`,
    }));
    const silent = question.task.ports.filter((port) => !isSpokenOf(port, result));
    const forgotten = silent.map((port) => ({ ...port, ok: false, message: "The host does not speak of it." }));
    return [...(await Promise.all(looked)), ...refused, ...forgotten];
  });
}

export async function tryDisk(
  question: HostQuestion<Of<"disk">>,
  examiner: Examiner,
  signal: AbortSignal,
): Promise<DiskFinding> {
  const { bytes } = question.task;
  return ask(question, examiner, signal, async ({ challenge, result, tookMs }) => ({
    ok: result.digest === streamDigest(streamKey(challenge), bytes),
    bytes,
    writeBytesPerSecond: Math.round((bytes / result.writeMs) * 1000),
    readBytesPerSecond: Math.round((bytes / result.readMs) * 1000),
    tookMs,
  }));
}

export async function tryBandwidth(
  question: HostQuestion<Of<"bandwidth">>,
  examiner: Examiner,
  signal: AbortSignal,
): Promise<BandwidthFinding> {
  const { bytes, openSeconds } = question.task;
  return ask(question, examiner, signal, async ({ id, challenge, result }) => {
    const within = AbortSignal.any([signal, AbortSignal.timeout(openSeconds * 1000)]);
    const pulled = await pullStream({ host: question.address, port: result.port }, { said: id, bytes }, within);
    const mbps = Math.round((bytes * 8) / pulled.tookMs) / 1000;
    return {
      ok: pulled.digest === streamDigest(streamKey(challenge), bytes),
      bytes,
      tookMs: Math.round(pulled.tookMs),
      mbps,
    };
  });
}

export async function tryPod(
  question: HostQuestion<Of<"pod">>,
  examiner: Examiner,
  signal: AbortSignal,
): Promise<PodFinding> {
  return ask(question, examiner, signal, async ({ result, tookMs }) => {
    const { host, port, user } = result.ssh;
    const banner = await readBanner({ host, port }, AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]));
    const ok = banner.startsWith("SSH-2.0-");
    return { ok, podId: result.podId, ssh: `ssh -p ${port} ${user}@${host}`, readyMs: tookMs, banner };
  });
}

interface Answered<K extends HostTask["kind"]> {
  readonly id: string;
  readonly challenge: HostChallenge;
  readonly result: ResultOf<K>;
  readonly tookMs: number;
}

/** Asks, checks whose answer it is, has a look at what is open, and lets it go. */
async function ask<K extends HostTask["kind"], T>(
  { hostKey, task, answerWithinMs }: HostQuestion<Of<K>>,
  examiner: Examiner,
  signal: AbortSignal,
  look: (answered: Answered<K>) => Promise<T>,
): Promise<T> {
  const { client, clock } = examiner;
  const challenge = spelled({ ...(await envelope(examiner, hostKey)), task, answerWithinMs });
  let began = clock.monotonic();
  const create = (): Promise<ChallengeView> => {
    began = clock.monotonic();
    return client.createHostChallenge({ body: challenge }, signal);
  };
  const view = await begin(create, examiner, signal);
  try {
    const phase = "openSeconds" in task ? "open" : "answered";
    const { answer } = await untilPhase(examiner, { view, phase, withinMs: answerWithinMs }, signal);
    const tookMs = Math.round(clock.monotonic() - began);
    const id = digestOf(challenge);
    if (answer === undefined || answer.body.challenge !== id) throw notRight("It answers another challenge.");
    const wrong = wrongSignature(challenge, { step: "result", ...answer }, SIGNATURE_CHECKS);
    if (wrong !== undefined) throw notRight(`The ${wrong}'s signature does not hold.`);
    const { result } = answer.body;
    if (!isOf(task.kind, result)) throw notRight(`It answers ${result.kind}, not ${task.kind}.`);
    return await look({ id, challenge, result, tookMs });
  } finally {
    await letGo(examiner, view);
  }
}

/** As the agent will spell it: a key without its comment, an image with its registry. Throws `invalid-request`. */
function spelled(challenge: HostChallenge): HostChallenge {
  const parsed = HostChallenge.safeParse(challenge);
  if (parsed.success) return parsed.data;
  const [first] = parsed.error.issues;
  throw new AppError("invalid-request", {
    message: `${first?.path.join(".") ?? ""}: ${first?.message ?? "It is no challenge"}.`,
  });
}

function isOf<K extends HostTask["kind"]>(kind: K, result: HostResult): result is ResultOf<K> {
  return result.kind === kind;
}

function isSpokenOf(port: PublicPort, { open, refused }: ResultOf<"ports">): boolean {
  return [...open, ...refused].some((said) => nameOf(said) === nameOf(port));
}

function verifyHost(bytes: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  return verifyEd25519(publicKey, bytes, signature);
}

function notRight(message: string): AppError {
  return new AppError("challenge-failed", { message });
}
