/**
 * What a validator's key opens, as a port. The gateway decides who may ask and when; an implementation decides what is
 * opened, confines it, and ends it by itself when its time is over.
 */
import type { HostId, Hotkey } from "../../protocol/ids.ts";
import type { ExecutorIdentity, OpenShell, PodLog } from "../../protocol/lium/replies.ts";
import type { SshKey } from "../../protocol/ssh-key.ts";

export interface LiumExecutor extends ExecutorIdentity {
  readonly hostId: HostId;
}

/** One key of one validator on one executor. */
export interface KeyOnExecutor {
  readonly validator: Hotkey;
  readonly key: SshKey;
  readonly executor: LiumExecutor;
}

export interface TimedKey extends KeyOnExecutor {
  readonly ttlMs: number;
}

export interface ValidatorAccess {
  /** Where this validator may ask for anything; none when nothing is opened. */
  executorsFor(validator: Hotkey): readonly LiumExecutor[];
  /** Where the key is open, also where nothing more may be asked for now. */
  executorsWith(validator: Hotkey, key: SshKey): readonly LiumExecutor[];
  /**
   * Opens a shell for `ttlMs`, and gives it once somebody can log in; repeated, it is the same shell with its time begun
   * anew. Throws an AppError; what it left open then, `revoke` closes.
   */
  grant(request: TimedKey, signal: AbortSignal): Promise<OpenShell>;
  /** Closes what the key opened; nothing to close is no error. */
  revoke(request: KeyOnExecutor, signal: AbortSignal): Promise<void>;
  /** Throws `pod-not-found` for a container that is not exactly this validator's. */
  podLogs(
    validator: Hotkey,
    executor: LiumExecutor,
    containerName: string,
    signal: AbortSignal,
  ): Promise<readonly PodLog[]>;
}
