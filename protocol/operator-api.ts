/**
 * The operator API: what the CLI asks of an agent over its unix socket. File permissions are the authentication.
 */
import { z } from "zod";

import { Capacity } from "./capacity.ts";
import { HostFacts } from "./host.ts";
import { GpuUuid, HostId, Hotkey, Instant } from "./ids.ts";
import { GpuDetails, GpuSummary } from "./operator-gpus.ts";
import { LogLine, LogQuery, PodEvent, PodView } from "./pod.ts";
import { route } from "./route.ts";
import { EventQuery, Nothing, PodParams } from "./validator-api.ts";

export const HostView = z.strictObject({
  hostId: HostId,
  name: z.string(),
  connected: z.boolean(),
  enrolledAt: Instant,
  lastSeenAt: Instant.optional(),
  /** Absent until the host has connected once. */
  facts: HostFacts.optional(),
  pods: z.int(),
});
export type HostView = z.infer<typeof HostView>;

export const AgentStatus = z.strictObject({
  version: z.string(),
  hotkey: Hotkey,
  network: z.string(),
  startedAt: Instant,
  hosts: z.strictObject({ total: z.int(), connected: z.int() }),
  pods: z.strictObject({ running: z.int(), other: z.int(), unclaimed: z.int() }),
  validatorUrl: z.string(),
  linkUrl: z.string(),
});
export type AgentStatus = z.infer<typeof AgentStatus>;

export const Invitation = z.strictObject({ token: z.string(), expiresAt: Instant });
export type Invitation = z.infer<typeof Invitation>;

const open = { auth: "open", answer: "json", params: Nothing, query: Nothing, body: Nothing, status: 200 } as const;
const podChange = { ...open, params: PodParams, response: PodView, status: 202, errors: ["pod-not-found"] } as const;

export const operatorApi = {
  status: route({
    ...open,
    method: "GET",
    path: "/status",
    summary: "The agent in one look",
    response: AgentStatus,
    errors: [],
  }),
  capacity: route({
    ...open,
    method: "GET",
    path: "/capacity",
    summary: "What validators are offered",
    response: Capacity,
    errors: [],
  }),
  invite: route({
    ...open,
    method: "POST",
    path: "/invitations",
    summary: "A join token for one new host",
    body: z.strictObject({ ttlSeconds: z.int().min(60).max(604_800).default(3_600) }),
    response: Invitation,
    status: 201,
    errors: [],
  }),
  listHosts: route({
    ...open,
    method: "GET",
    path: "/hosts",
    summary: "All enrolled hosts",
    response: z.strictObject({ hosts: z.array(HostView) }),
    errors: [],
  }),
  getHost: route({
    ...open,
    method: "GET",
    path: "/hosts/{hostId}",
    summary: "One host",
    params: z.strictObject({ hostId: HostId }),
    response: HostView,
    errors: ["host-not-found"],
  }),
  listGpus: route({
    ...open,
    method: "GET",
    path: "/gpus",
    summary: "All accelerators, as their hosts told of them last",
    query: z.strictObject({ hostId: HostId.optional() }),
    response: z.strictObject({ gpus: z.array(GpuSummary) }),
    errors: ["host-not-found"],
  }),
  getGpu: route({
    ...open,
    method: "GET",
    path: "/gpus/{uuid}",
    summary: "One accelerator whole, by its UUID or that of a part of it",
    params: z.strictObject({ uuid: GpuUuid }),
    response: GpuDetails,
    errors: ["gpu-not-found"],
  }),
  metrics: route({
    ...open,
    method: "GET",
    path: "/metrics",
    summary: "Hosts, accelerators and what pods have of them, for Prometheus",
    response: z.string(),
    answer: "text",
    errors: [],
  }),
  listPods: route({
    ...open,
    method: "GET",
    path: "/pods",
    summary: "All pods, the newest first",
    query: z.strictObject({ all: z.stringbool().default(false), hostId: HostId.optional() }),
    response: z.strictObject({ pods: z.array(PodView) }),
    errors: [],
  }),
  getPod: route({
    ...open,
    method: "GET",
    path: "/pods/{podId}",
    summary: "One pod",
    params: PodParams,
    response: PodView,
    errors: ["pod-not-found"],
  }),
  terminatePod: route({ ...podChange, method: "DELETE", path: "/pods/{podId}", summary: "End a pod as the operator" }),
  adoptPod: route({
    ...podChange,
    method: "POST",
    path: "/pods/{podId}/adopt",
    summary: "Take an unclaimed pod as this agent's own; its owner can manage it again",
  }),
  podLogs: route({
    ...open,
    method: "GET",
    path: "/pods/{podId}/logs",
    summary: "What the pod's main process wrote",
    params: PodParams,
    query: LogQuery,
    response: LogLine,
    answer: "ndjson",
    errors: ["pod-not-found", "host-unreachable", "log-reader-too-slow"],
  }),
  podEvents: route({
    ...open,
    method: "GET",
    path: "/pods/{podId}/events",
    summary: "What happened to the pod, after a cursor",
    params: PodParams,
    query: EventQuery,
    response: PodEvent,
    answer: "ndjson",
    errors: ["pod-not-found"],
  }),
} as const;
