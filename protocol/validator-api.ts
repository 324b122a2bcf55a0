/**
 * The validator API, version 1: what a caller with a hotkey may ask of an agent. Every request is signed (btauth/1).
 * A caller sees and changes only the pods that it owns.
 */
import { z } from "zod";

import { Capacity, CapacityChange } from "./capacity.ts";
import { HostId, Hotkey, PodId } from "./ids.ts";
import { Lease, LogLine, LogQuery, PodEvent, PodPhase, PodSpec, PodView } from "./pod.ts";
import { route } from "./route.ts";
import { SshPublicKey } from "./ssh-key.ts";

/** No field at all. */
export const Nothing = z.strictObject({});
export const PodParams = z.strictObject({ podId: PodId });

export const CreatePod = z.strictObject({
  spec: PodSpec,
  /** Only on this host; else the agent chooses. */
  hostId: HostId.optional(),
  /** A request with the same key is carried out once; a repeat answers with the same pod. */
  idempotencyKey: z.string().min(1).max(128).optional(),
});
export type CreatePod = z.infer<typeof CreatePod>;

const AwaitQuery = z.strictObject({
  /** Answer when the pod reaches this phase, or one from which it can no longer come. */
  awaitPhase: PodPhase.optional(),
  awaitSeconds: z.coerce.number().min(0).max(60).default(30),
});

export const EventQuery = z.strictObject({
  after: z.coerce.number().int().min(0).default(0),
  follow: z.stringbool().default(false),
});

const ChangesQuery = z.strictObject({
  /** An ETag: what is known already, and not told again. */
  after: z.string().max(64).optional(),
  follow: z.stringbool().default(false),
});

const PodList = z.strictObject({ pods: z.array(PodView) });
const CHANGE = ["pod-not-found", "pod-ended", "lease-expired"] as const;

const signed = { auth: "signed", answer: "json", params: Nothing, query: Nothing, body: Nothing } as const;
const podChange = {
  ...signed,
  method: "POST",
  params: PodParams,
  response: PodView,
  status: 202,
  errors: CHANGE,
} as const;

export const validatorApi = {
  capacity: route({
    ...signed,
    method: "GET",
    path: "/v1/capacity",
    summary: "What can be rented now, host by host and model by model, signed by the agent's hotkey",
    conditional: true,
    response: Capacity,
    status: 200,
    errors: [],
  }),
  capacityChanges: route({
    ...signed,
    method: "GET",
    path: "/v1/capacity/changes",
    summary: "What can be rented now and, following, whenever that changes; signed by the agent's hotkey",
    query: ChangesQuery,
    response: CapacityChange,
    answer: "ndjson",
    status: 200,
    errors: [],
  }),
  createPod: route({
    ...signed,
    method: "POST",
    path: "/v1/pods",
    summary: "Rent a pod; it is stored before the answer is sent",
    body: CreatePod,
    response: PodView,
    status: 202,
    errors: ["no-capacity", "secret-wrong-host", "host-not-found", "lease-expired", "idempotency-mismatch"],
  }),
  listPods: route({
    ...signed,
    method: "GET",
    path: "/v1/pods",
    summary: "Your pods, the newest first; those that are over only when asked for",
    query: z.strictObject({ all: z.stringbool().default(false) }),
    response: PodList,
    status: 200,
    errors: [],
  }),
  getPod: route({
    ...signed,
    method: "GET",
    path: "/v1/pods/{podId}",
    summary: "One pod; can wait for a phase",
    params: PodParams,
    query: AwaitQuery,
    response: PodView,
    status: 200,
    errors: ["pod-not-found"],
  }),
  stopPod: route({ ...podChange, path: "/v1/pods/{podId}/stop", summary: "Stop a pod; its disk and GPUs are kept" }),
  startPod: route({ ...podChange, path: "/v1/pods/{podId}/start", summary: "Start a stopped or exited pod" }),
  restartPod: route({ ...podChange, path: "/v1/pods/{podId}/restart", summary: "Stop and start a pod" }),
  extendPod: route({
    ...podChange,
    method: "PUT",
    path: "/v1/pods/{podId}/lease",
    summary: "Replace the lease",
    body: Lease,
  }),
  terminatePod: route({
    ...podChange,
    method: "DELETE",
    path: "/v1/pods/{podId}",
    summary: "End a pod and erase its disk; a named volume is kept. Repeating it is harmless",
    errors: ["pod-not-found"],
  }),
  addSshKey: route({
    ...podChange,
    path: "/v1/pods/{podId}/ssh-keys",
    summary: "Let one more key log in",
    body: z.strictObject({ key: SshPublicKey }),
  }),
  removeSshKey: route({
    ...podChange,
    method: "DELETE",
    path: "/v1/pods/{podId}/ssh-keys",
    summary: "Refuse new logins with a key; the last one cannot be removed",
    query: z.strictObject({ fingerprint: z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/) }),
    errors: [...CHANGE, "ssh-key-invalid"],
  }),
  podLogs: route({
    ...signed,
    method: "GET",
    path: "/v1/pods/{podId}/logs",
    summary: "What the pod's main process wrote",
    params: PodParams,
    query: LogQuery,
    response: LogLine,
    answer: "ndjson",
    status: 200,
    errors: ["pod-not-found", "host-unreachable", "log-reader-too-slow"],
  }),
  podEvents: route({
    ...signed,
    method: "GET",
    path: "/v1/pods/{podId}/events",
    summary: "What happened to the pod, after a cursor",
    params: PodParams,
    query: EventQuery,
    response: PodEvent,
    answer: "ndjson",
    status: 200,
    errors: ["pod-not-found"],
  }),
} as const;

/** What anybody may ask: which agent this is, for signing requests to it, and whether it answers at all. */
export const healthApi = {
  health: route({
    ...signed,
    auth: "open",
    method: "GET",
    path: "/healthz",
    summary: "Which agent this is; not signed",
    response: z.strictObject({ hotkey: Hotkey, version: z.string() }),
    status: 200,
    errors: [],
  }),
} as const;
