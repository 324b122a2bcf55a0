/**
 * Keys open small pods of ours: one for each key, owned by the validator's hotkey, on a lease as long as the key's time.
 * The pods are the only record of what is open, so a restart forgets nothing, and the host ends them without us.
 */
import type { Clock } from "../../common/clock.ts";
import { createKeyedLock } from "../../common/keyed-lock.ts";
import { AppError } from "../../protocol/errors.ts";
import { type HostId, type Hotkey, PodId } from "../../protocol/ids.ts";
import { executorIdOf, executorPortOf } from "../../protocol/lium/executor-id.ts";
import type { OpenShell, PodLog } from "../../protocol/lium/replies.ts";
import type { HostView } from "../../protocol/operator-api.ts";
import { type PodEvent, PodSpec, type PodView } from "../../protocol/pod.ts";
import type { SshKey } from "../../protocol/ssh-key.ts";
import type { Caller, UseCases } from "../fleet/use-cases.ts";
import type { KeyOnExecutor, LiumExecutor, TimedKey, ValidatorAccess } from "./access.ts";
import type { LiumConfig } from "./config.ts";

export interface ShellPodsDeps {
  readonly useCases: Pick<
    UseCases,
    "listHosts" | "listPods" | "getPod" | "createPod" | "changePod" | "awaitPhase" | "events"
  >;
  readonly shell: LiumConfig["shell"];
  readonly clock: Clock;
}

/** What marks the pod of a key; its value is the key's fingerprint. */
const LABEL = "lium/validator-key";
/** The pod is there for its SSH server alone. */
const IDLE = ["sleep", "infinity"];
const MAX_LOGS = 1_000;

export class ShellPods implements ValidatorAccess {
  readonly #deps: ShellPodsDeps;
  readonly #lock = createKeyedLock();

  constructor(deps: ShellPodsDeps) {
    this.#deps = deps;
  }

  executorsFor(): readonly LiumExecutor[] {
    const { useCases, shell } = this.#deps;
    if (!shell.enabled) return [];
    return useCases
      .listHosts()
      .flatMap((host) => (host.connected && host.facts !== undefined ? [executorOf(host)] : []));
  }

  executorsWith(validator: Hotkey, key: SshKey): readonly LiumExecutor[] {
    const isHolder = ({ hostId }: HostView): boolean =>
      this.#openOn(validator, hostId).some((pod) => isFor(pod, key.fingerprint));
    return this.#deps.useCases.listHosts().filter(isHolder).map(executorOf);
  }

  async grant(request: TimedKey, signal: AbortSignal): Promise<OpenShell> {
    const { validator, executor } = request;
    const pod = await this.#lock.run(`${validator} ${executor.hostId}`, () => this.#begin(request), signal);
    const view = await this.#deps.useCases.awaitPhase(owner(validator), pod.podId, "running", signal);
    signal.throwIfAborted();
    const { phase, ssh } = view.status;
    if (phase !== "running" || ssh === undefined) throw new AppError("ssh-not-ready");
    return { executor, user: ssh.user, address: ssh.host, port: ssh.port, hostKey: ssh.hostKey };
  }

  async revoke({ validator, key, executor }: KeyOnExecutor): Promise<void> {
    const pods = this.#openOn(validator, executor.hostId).filter((pod) => isFor(pod, key.fingerprint));
    for (const { podId } of pods) {
      await this.#deps.useCases.changePod(owner(validator), podId, { do: "terminate", reason: "requested" });
    }
  }

  async podLogs(
    validator: Hotkey,
    { hostId }: LiumExecutor,
    containerName: string,
    signal: AbortSignal,
  ): Promise<readonly PodLog[]> {
    const { useCases } = this.#deps;
    const podId = PodId.safeParse(containerName);
    if (!podId.success || useCases.getPod(owner(validator), podId.data).hostId !== hostId) {
      throw new AppError("pod-not-found");
    }
    const logs: PodLog[] = [];
    const events = useCases.events(owner(validator), podId.data, { after: 0, follow: false }, signal);
    for await (const event of events) if (logs.push(logOf(event)) >= MAX_LOGS) break;
    return logs;
  }

  #openOn(validator: Hotkey, hostId: HostId): PodView[] {
    const pods = this.#deps.useCases.listPods(owner(validator), { all: false, hostId });
    return pods.filter(({ goal, spec }) => goal !== "ended" && spec.labels[LABEL] !== undefined);
  }

  /** Throws `no-capacity` for one key too many. */
  #begin({ validator, key, ttlMs, executor: { hostId } }: TimedKey): Promise<PodView> {
    const { useCases, shell, clock } = this.#deps;
    const open = this.#openOn(validator, hostId);
    const lease = { expiresAt: new Date(clock.now() + ttlMs).toISOString(), graceSeconds: 0 };
    const same = open.find((pod) => isFor(pod, key.fingerprint));
    if (same !== undefined) {
      return useCases.changePod(owner(validator), same.podId, { do: "replace-lease", lease });
    }
    if (open.length >= shell.maxPerHost) throw new AppError("no-capacity");
    const { image, cpus, memoryBytes, diskBytes } = shell;
    const labels = { [LABEL]: key.fingerprint };
    const wish = { image, cpus, memoryBytes, diskBytes, lease, labels, sshKeys: [key.line], command: IDLE };
    return useCases.createPod(validator, { spec: PodSpec.parse(wish), hostId }, clock.monotonic());
  }
}

function executorOf({ hostId, facts }: HostView): LiumExecutor {
  return { hostId, uuid: executorIdOf(hostId), address: facts?.publicAddress ?? "", port: executorPortOf(hostId) };
}

function owner(hotkey: Hotkey): Caller {
  return { kind: "owner", hotkey };
}

function isFor({ spec }: PodView, fingerprint: string): boolean {
  return spec.labels[LABEL] === fingerprint;
}

function logOf({ cursor, podId, at, code, message }: PodEvent): PodLog {
  return {
    uuid: `${podId}-${cursor}`,
    container_name: podId,
    container_id: null,
    event: code,
    exit_code: null,
    reason: message,
    error: null,
    created_at: at.replace(/Z$/, ""),
  };
}
