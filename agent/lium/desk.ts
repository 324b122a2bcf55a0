/**
 * Where signed-in validators' requests are answered, whichever way they came: a reply in time for each, whatever hangs,
 * and an audit line for each key on each executor. A key that was opened too late to be told is closed again.
 *
 * Things done with one key on one executor happen one after the other. What was begun is finished, socket or no socket.
 */
import type { Clock } from "../../common/clock.ts";
import { createKeyedLock } from "../../common/keyed-lock.ts";
import type { Logger } from "../../common/logger.ts";
import { AppError, toAppError } from "../../protocol/errors.ts";
import type { Hotkey } from "../../protocol/ids.ts";
import { failed, keyAccepted, type OpenShell } from "../../protocol/lium/replies.ts";
import type { KeyRequest, PodLogsRequest, RemoveKeyRequest, SubmitKeyRequest } from "../../protocol/lium/requests.ts";
import { keyStatement } from "../../protocol/lium/statements.ts";
import { parseSshKey, type SshKey } from "../../protocol/ssh-key.ts";
import type { AuditEntry } from "../store/store.ts";
import type { ReplayStore } from "../validator/replay.ts";
import type { KeyOnExecutor, LiumExecutor, TimedKey, ValidatorAccess } from "./access.ts";
import { inTime } from "./in-time.ts";
import type { Answer } from "./session-state.ts";
import { hasSigned, replayNonce } from "./sign-in.ts";

export interface DeskDeps {
  readonly access: ValidatorAccess;
  readonly replay: Pick<ReplayStore, "remember">;
  /** Durable when it resolves: a key is not told of before. */
  readonly audit: (entry: AuditEntry) => Promise<void>;
  readonly keyMs: number;
  readonly requireSignedKeys: boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Validators wait at least 8 s for an answer; half a second is for the way. */
const ANSWER_MS = 7_500;
const REMOVE_MS = 60_000;

export class KeyDesk {
  readonly #deps: DeskDeps;
  readonly #lock = createKeyedLock();
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(deps: DeskDeps) {
    this.#deps = deps;
  }

  /** Never rejects. */
  async answer(validator: Hotkey, request: KeyRequest): Promise<Answer> {
    try {
      return await this.#answer(validator, request);
    } catch (error) {
      const failure = toAppError(error);
      const { code } = failure;
      if (code === "internal") this.#deps.log.error("a validator's request failed", { validator, error: failure });
      const isForged = code === "auth-bad-signature" || code === "auth-malformed";
      return isForged ? { refuse: code } : { reply: failed(code) };
    }
  }

  /** Closes what a submission opened whose answer reached nobody. */
  async withdraw(validator: Hotkey, { public_key, executor_id }: SubmitKeyRequest): Promise<void> {
    await this.#closeAll(validator, parseSshKey(public_key), executor_id);
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }

  #answer(validator: Hotkey, request: KeyRequest): Promise<Answer> {
    switch (request.message_type) {
      case "SSHPubKeySubmitRequest":
        return this.#submit(validator, request);
      case "SSHPubKeyRemoveRequest":
        return this.#remove(validator, request);
      case "GetPodLogsRequest":
        return this.#podLogs(validator, request);
    }
  }

  async #submit(validator: Hotkey, request: SubmitKeyRequest): Promise<Answer> {
    const { access, keyMs } = this.#deps;
    const key = await this.#checkedKey(validator, request);
    const known = access.executorsFor(validator);
    const asked = this.#executors(validator, request.executor_id);
    const opened = await Promise.all(asked.map((executor) => this.#open({ validator, key, executor, ttlMs: keyMs })));
    const shells = opened.flatMap((one) => (one instanceof AppError ? [] : [one]));
    const refusal = opened.find((one) => one instanceof AppError);
    if (shells.length === 0 && refusal !== undefined) return { reply: failed(refusal.code) };
    return { reply: keyAccepted(isLater(request) ? "later" : "first", shells, known) };
  }

  async #remove(validator: Hotkey, request: RemoveKeyRequest): Promise<Answer> {
    const key = parseSshKey(request.public_key);
    this.#checkSignature(validator, request, request.public_key);
    const closed = await this.#closeAll(validator, key, request.executor_id);
    const failure = closed.find((one) => one instanceof AppError);
    return { reply: failure === undefined ? { message_type: "SSHKeyRemoved" } : failed(failure.code) };
  }

  async #podLogs(validator: Hotkey, { executor_id, container_name }: PodLogsRequest): Promise<Answer> {
    const { access, clock } = this.#deps;
    const [executor] = this.#executors(validator, executor_id);
    if (executor === undefined) throw new AppError("host-not-found");
    const logs = await inTime(clock, ANSWER_MS, (signal) =>
      access.podLogs(validator, executor, container_name, signal),
    );
    return { reply: { message_type: "PodLogsResponse", logs: [...logs] } };
  }

  #executors(validator: Hotkey, id: string | null | undefined): readonly LiumExecutor[] {
    const all = this.#deps.access.executorsFor(validator);
    return id === null || id === undefined ? all : all.filter(({ uuid }) => uuid === id);
  }

  /** Throws `ssh-key-invalid`, `auth-malformed`, `auth-bad-signature` or `auth-replayed`; each is audited. */
  async #checkedKey(validator: Hotkey, request: SubmitKeyRequest): Promise<SshKey> {
    try {
      const key = parseSshKey(request.public_key);
      const nonce = request.nonce ?? undefined;
      this.#checkSignature(validator, request, keyStatement(request.public_key, nonce));
      if (nonce !== undefined) await this.#spend(validator, nonce);
      return key;
    } catch (error) {
      await this.#audit({ who: validator, action: "lium-key-open", subject: "-", outcome: toAppError(error).code });
      throw error;
    }
  }

  #checkSignature(
    validator: Hotkey,
    { message_type, validator_signature: signature }: SubmitKeyRequest | RemoveKeyRequest,
    statement: string,
  ): void {
    const isSubmission = message_type === "SSHPubKeySubmitRequest";
    if (signature === undefined || signature === null) {
      if (isSubmission && this.#deps.requireSignedKeys) throw new AppError("auth-malformed");
    } else if (!hasSigned(validator, statement, signature)) throw new AppError("auth-bad-signature");
  }

  async #spend(validator: Hotkey, nonce: string): Promise<void> {
    const { replay, keyMs, clock } = this.#deps;
    const isNew = await replay.remember(
      validator,
      replayNonce("key", Buffer.from(nonce.toLowerCase())),
      clock.now() + keyMs,
    );
    if (!isNew) throw new AppError("auth-replayed");
  }

  /** Gives what was opened, or why nothing was. */
  async #open(request: TimedKey): Promise<OpenShell | AppError> {
    const { clock } = this.#deps;
    try {
      return await inTime(clock, ANSWER_MS, (signal) =>
        this.#tracked(this.#lock.run(lockOf(request), () => this.#grant(request, signal), signal)),
      );
    } catch (error) {
      const failure = toAppError(error);
      this.#deps.log.warn("a validator's key opened nothing", { ...wordsOf(request), error: failure });
      return failure;
    }
  }

  async #grant(request: TimedKey, signal: AbortSignal): Promise<OpenShell> {
    const entry = { ...entryOf(request), action: "lium-key-open" };
    try {
      const shell = await this.#deps.access.grant(request, signal);
      signal.throwIfAborted();
      await this.#audit({ ...entry, outcome: "done" });
      signal.throwIfAborted();
      return shell;
    } catch (error) {
      await this.#revoke(request);
      await this.#audit({ ...entry, outcome: toAppError(error).code });
      throw error;
    }
  }

  /** Also on executors where the key is still being opened. */
  #closeAll(validator: Hotkey, key: SshKey, id: string | null | undefined): Promise<(AppError | undefined)[]> {
    const { access } = this.#deps;
    const both = [...access.executorsFor(validator), ...access.executorsWith(validator, key)];
    const executors = new Map(both.map((executor) => [executor.uuid, executor])).values();
    const asked = [...executors].filter(({ uuid }) => id === null || id === undefined || uuid === id);
    return Promise.all(asked.map((executor) => this.#close({ validator, key, executor })));
  }

  /** Undefined once it is closed. */
  async #close(request: KeyOnExecutor): Promise<AppError | undefined> {
    const { clock, log } = this.#deps;
    const closing = inTime(clock, REMOVE_MS, (signal) =>
      this.#lock.run(lockOf(request), () => this.#revokeAudited(request, signal), signal),
    );
    return this.#tracked(closing).then(
      () => undefined,
      (error: unknown) => {
        log.warn("a validator's key was not removed; it ends by its time limit", { ...wordsOf(request), error });
        return toAppError(error);
      },
    );
  }

  async #revokeAudited(request: KeyOnExecutor, signal: AbortSignal): Promise<void> {
    const entry = { ...entryOf(request), action: "lium-key-close" };
    try {
      await this.#deps.access.revoke(request, signal);
    } catch (error) {
      await this.#audit({ ...entry, outcome: toAppError(error).code });
      throw error;
    }
    await this.#audit({ ...entry, outcome: "done" });
  }

  /** After a grant that failed. Its time limit closes what this cannot. */
  async #revoke(request: KeyOnExecutor): Promise<void> {
    const { access, clock, log } = this.#deps;
    await inTime(clock, REMOVE_MS, (signal) => access.revoke(request, signal)).catch((error: unknown) => {
      log.warn("a validator's key was not removed; it ends by its time limit", { ...wordsOf(request), error });
    });
  }

  async #audit(entry: Omit<AuditEntry, "at">): Promise<void> {
    await this.#deps.audit({ ...entry, at: new Date(this.#deps.clock.now()).toISOString() });
  }

  #tracked<T>(work: Promise<T>): Promise<T> {
    const over = work.finally(() => this.#underWay.delete(over));
    this.#underWay.add(over);
    return over;
  }
}

function isLater({ validator_signature, miner_hotkey, nonce }: SubmitKeyRequest): boolean {
  return [validator_signature, miner_hotkey, nonce].some((field) => field !== undefined && field !== null);
}

function lockOf({ validator, key, executor }: KeyOnExecutor): string {
  return `${validator} ${key.fingerprint} ${executor.hostId}`;
}

function entryOf({ validator, key, executor }: KeyOnExecutor): Pick<AuditEntry, "who" | "subject"> {
  return { who: validator, subject: `${executor.hostId} ${key.fingerprint}` };
}

function wordsOf({ validator, key, executor }: KeyOnExecutor) {
  return { validator, hostId: executor.hostId, fingerprint: key.fingerprint };
}
