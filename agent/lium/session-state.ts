/**
 * One session with a validator, as a pure machine: what happened goes in, what is to be done comes out.
 *
 *   waiting --sign-in--> signing-in --yes--> open --> over
 *
 * It never signs in twice, answers each request decisively once at most, and says nothing once it is over. A socket that
 * is gone (`leaving`, while the signature is checked) still has its removals done.
 */
import type { ErrorCode } from "../../protocol/errors.ts";
import { type ExecutorIdentity, failed, type LiumReply, unauthorized } from "../../protocol/lium/replies.ts";
import type { AuthenticateRequest, Frame, KeyRequest, SubmitKeyRequest } from "../../protocol/lium/requests.ts";

export interface SessionRules {
  /** Our own hotkey: what frames of the later generation must name. */
  readonly hotkey: string;
  readonly queued: number;
  /** All frames together, before the sign-in. */
  readonly bytesBefore: number;
  readonly pending: number;
  readonly requests: number;
}

export const SESSION_CAPS: Omit<SessionRules, "hotkey"> = {
  queued: 10,
  bytesBefore: 64 * 1024,
  pending: 8,
  requests: 64,
};

/** What came of a request: a reply, or the end of the session. */
export type Answer = { readonly reply: LiumReply } | { readonly refuse: ErrorCode };

export type SessionEvent =
  | { readonly type: "frame"; readonly bytes: number; readonly frame: Frame }
  | { readonly type: "signed-in"; readonly executors: readonly ExecutorIdentity[] }
  | { readonly type: "refused"; readonly code: ErrorCode }
  | { readonly type: "answered"; readonly id: number; readonly request: KeyRequest; readonly answer: Answer }
  /** The time to sign in, or of the whole session, is over. */
  | { readonly type: "too-late" }
  | { readonly type: "gone" };

export type SessionAction =
  | { readonly do: "sign-in"; readonly request: AuthenticateRequest }
  | { readonly do: "send"; readonly reply: LiumReply }
  | { readonly do: "serve"; readonly id: number; readonly request: KeyRequest }
  /** The validator will never hear what was opened: close it again. */
  | { readonly do: "withdraw"; readonly request: SubmitKeyRequest }
  | { readonly do: "close"; readonly code: number; readonly reason: string };

export interface SessionState {
  readonly phase: "waiting" | "signing-in" | "leaving" | "open" | "over";
  readonly queue: readonly KeyRequest[];
  readonly bytes: number;
  /** Requests taken since the sign-in; the last one's id. */
  readonly taken: number;
  /** Ids that wait for their decisive reply. */
  readonly pending: readonly number[];
}

export interface Step {
  readonly state: SessionState;
  readonly actions: readonly SessionAction[];
}

export const NEW_SESSION: SessionState = { phase: "waiting", queue: [], bytes: 0, taken: 0, pending: [] };
const NORMAL = 1000;
const POLICY_VIOLATION = 1008;

export function step(state: SessionState, event: SessionEvent, rules: SessionRules): Step {
  if (event.type === "answered") return answered(state, event);
  if (state.phase === "over") return { state, actions: [] };
  switch (event.type) {
    case "frame":
      return take(state, event, rules);
    case "signed-in":
      return signedIn(state, event.executors, rules);
    case "refused":
      return refuse(state, event.code);
    case "too-late":
      return state.phase === "open" ? close(state, NORMAL, "time is over") : refuse(state, "deadline-exceeded");
    case "gone":
      return { state: { ...state, phase: state.phase === "signing-in" ? "leaving" : "over" }, actions: [] };
  }
}

function take(
  state: SessionState,
  { bytes, frame }: { readonly bytes: number; readonly frame: Frame },
  rules: SessionRules,
): Step {
  if (state.phase === "leaving") return { state, actions: [] };
  if (state.phase === "open")
    return frame.ok ? ask(state, frame.request, rules) : unreadable(state, frame.meant, rules);
  const heard = { ...state, bytes: state.bytes + bytes };
  if (heard.bytes > rules.bytesBefore) return close(heard, POLICY_VIOLATION, "too much before the sign-in");
  if (!frame.ok) {
    if (frame.meant === "AuthenticateRequest") return refuse(heard, "auth-malformed");
    return close(heard, POLICY_VIOLATION, "unreadable");
  }
  const { request } = frame;
  if (request.message_type === "AuthenticateRequest") {
    if (state.phase !== "waiting") return refuse(heard, "auth-replayed");
    return { state: { ...heard, phase: "signing-in" }, actions: [{ do: "sign-in", request }] };
  }
  if (heard.queue.length >= rules.queued) return close(heard, POLICY_VIOLATION, "too much before the sign-in");
  return { state: { ...heard, queue: [...heard.queue, request] }, actions: [] };
}

function signedIn(state: SessionState, executors: readonly ExecutorIdentity[], rules: SessionRules): Step {
  const { phase, queue } = state;
  const open: SessionState = { ...state, phase: "open", queue: [] };
  if (phase === "leaving") {
    const { state: last, actions } = inTurn(open, queue.filter(isRemoval), rules);
    return { state: { ...last, phase: "over" }, actions: actions.filter((action) => action.do === "serve") };
  }
  if (executors.length > 0) {
    const reply: LiumReply = { message_type: "AcceptJobRequest", executors: [...executors] };
    const { state: next, actions } = inTurn(open, queue, rules);
    return { state: next, actions: [{ do: "send", reply }, ...actions] };
  }
  const last = inTurn(open, queue.filter(isRemoval), rules);
  if (last.state.phase === "over") return last;
  const ended = close(last.state, NORMAL, "no executor");
  const declined: SessionAction = { do: "send", reply: { message_type: "DeclineJobRequest" } };
  return { ...ended, actions: [...last.actions, declined, ...ended.actions] };
}

function isRemoval({ message_type }: KeyRequest): boolean {
  return message_type === "SSHPubKeyRemoveRequest";
}

function inTurn(first: SessionState, queue: readonly KeyRequest[], rules: SessionRules): Step {
  return queue.reduce<Step>(
    ({ state, actions }, request) => {
      if (state.phase === "over") return { state, actions };
      const next = ask(state, request, rules);
      return { state: next.state, actions: [...actions, ...next.actions] };
    },
    { state: first, actions: [] },
  );
}

function ask(state: SessionState, request: AuthenticateRequest | KeyRequest, rules: SessionRules): Step {
  if (request.message_type === "AuthenticateRequest") return refuse(state, "auth-replayed");
  if ((request.miner_hotkey ?? rules.hotkey) !== rules.hotkey) return refuse(state, "auth-wrong-receiver");
  const id = state.taken + 1;
  if (id > rules.requests) return close(state, POLICY_VIOLATION, "too many requests");
  const counted = { ...state, taken: id };
  const serve: SessionAction = { do: "serve", id, request };
  if (request.message_type === "SSHPubKeyRemoveRequest") return { state: counted, actions: [serve] };
  if (state.pending.length >= rules.pending) {
    return { state: counted, actions: [{ do: "send", reply: failed("rate-limited") }] };
  }
  return { state: { ...counted, pending: [...state.pending, id] }, actions: [serve] };
}

/** A validator waits for the answer to some requests, so these get one even when they make no sense. */
function unreadable(
  state: SessionState,
  meant: KeyRequest["message_type"] | "AuthenticateRequest" | undefined,
  rules: SessionRules,
): Step {
  const counted = { ...state, taken: state.taken + 1 };
  if (counted.taken > rules.requests) return close(state, POLICY_VIOLATION, "too many requests");
  switch (meant) {
    case "SSHPubKeySubmitRequest":
    case "GetPodLogsRequest":
      return { state: counted, actions: [{ do: "send", reply: failed("invalid-request") }] };
    case "AuthenticateRequest":
      return refuse(state, "auth-replayed");
    case "SSHPubKeyRemoveRequest":
    case undefined:
      return close(state, POLICY_VIOLATION, "unreadable");
  }
}

function answered(state: SessionState, { id, request, answer }: Extract<SessionEvent, { type: "answered" }>): Step {
  const isAwaited = state.pending.includes(id);
  const rest = { ...state, pending: state.pending.filter((other) => other !== id) };
  if (state.phase === "over") {
    const isOpen = "reply" in answer && answer.reply.message_type === "AcceptSSHKeyRequest";
    const isLost = isOpen && request.message_type === "SSHPubKeySubmitRequest";
    return { state: rest, actions: isLost ? [{ do: "withdraw", request }] : [] };
  }
  if ("refuse" in answer) return refuse(rest, answer.refuse);
  return { state: rest, actions: isAwaited ? [{ do: "send", reply: answer.reply }] : [] };
}

function refuse(state: SessionState, code: ErrorCode): Step {
  const closed = close(state, POLICY_VIOLATION, code);
  if (state.phase === "leaving") return { ...closed, actions: [] };
  return { ...closed, actions: [{ do: "send", reply: unauthorized(code) }, ...closed.actions] };
}

function close(state: SessionState, code: number, reason: string): Step {
  return { state: { ...state, phase: "over", queue: [] }, actions: [{ do: "close", code, reason }] };
}
