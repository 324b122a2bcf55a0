/** Every route of both tables through the real server and the real client, with every refusal that it lists. */
import { describe, expect, it } from "vitest";

import type { UseCases } from "../../agent/fleet/use-cases.ts";
import { capacityDigest } from "../../protocol/capacity.ts";
import { AppError } from "../../protocol/errors.ts";
import { Hotkey } from "../../protocol/ids.ts";
import { operatorApi } from "../../protocol/operator-api.ts";
import type { Route } from "../../protocol/route.ts";
import { validatorApi } from "../../protocol/validator-api.ts";
import { hostId, podEvent } from "../support/agent-builders.ts";
import { agentStatus, capacity, hostView, logLine, podView, streamOf } from "../support/answers.ts";
import { ALICE, startOperatorListener, startValidatorListener } from "../support/api-servers.ts";
import { OTHER_SSH_KEY, podId, podSpec, SSH_KEY } from "../support/builders.ts";
import type { UseCaseCall } from "../support/fake-use-cases.ts";
import { gpuDetails, gpuSummary } from "../support/gpus/told.ts";

interface Case {
  /** What the caller sends. */
  readonly input: Readonly<Record<string, unknown>>;
  /** The one use case that is called, with what, and what it gives. */
  readonly name: keyof UseCases;
  readonly args: readonly unknown[];
  readonly gives: unknown;
  /** What comes back, where it is not what the use case gave. */
  readonly answer?: unknown;
}

const view = podView();
const params = { podId: podId(1) };
const signal = expect.any(AbortSignal);
const lease = { expiresAt: "2027-01-01T00:00:00.000Z", graceSeconds: 60 };
const lines = [logLine("one"), logLine("two\n\u{1F600}")];
const events = [podEvent(1), podEvent(2)];
const fingerprint = `SHA256:${"a".repeat(43)}`;

const owner = { kind: "owner", hotkey: Hotkey.parse(ALICE.ss58) };
const changed = (change: object) => ({ name: "changePod", args: [owner, podId(1), change], gives: view }) as const;

const VALIDATOR: { readonly [Name in keyof typeof validatorApi]: Case } = {
  capacity: { input: {}, name: "capacity", args: [], gives: capacity() },
  capacityChanges: {
    input: {},
    name: "capacity",
    args: [],
    gives: capacity(),
    answer: [{ etag: capacityDigest(capacity()), signedAtMs: expect.any(Number), capacity: capacity() }],
  },
  createPod: {
    input: { body: { spec: podSpec(), hostId: hostId(1), idempotencyKey: "k" } },
    name: "createPod",
    args: [owner.hotkey, { spec: podSpec(), hostId: hostId(1), idempotencyKey: "k" }, expect.any(Number)],
    gives: view,
  },
  listPods: {
    input: { query: { all: "true" } },
    name: "listPods",
    args: [owner, { all: true }],
    gives: [view],
    answer: { pods: [view] },
  },
  getPod: { input: { params }, name: "getPod", args: [owner, podId(1)], gives: view },
  stopPod: { input: { params }, ...changed({ do: "stop" }) },
  startPod: { input: { params }, ...changed({ do: "start" }) },
  restartPod: { input: { params }, ...changed({ do: "restart" }) },
  extendPod: { input: { params, body: lease }, ...changed({ do: "replace-lease", lease }) },
  terminatePod: { input: { params }, ...changed({ do: "terminate", reason: "requested" }) },
  addSshKey: {
    input: { params, body: { key: `${OTHER_SSH_KEY} a comment` } },
    ...changed({ do: "add-key", key: OTHER_SSH_KEY }),
  },
  removeSshKey: { input: { params, query: { fingerprint } }, ...changed({ do: "remove-key", fingerprint }) },
  podLogs: {
    input: { params, query: { follow: "true", tail: 5 } },
    name: "logs",
    args: [owner, podId(1), { follow: true, tail: 5 }, signal],
    gives: lines,
  },
  podEvents: {
    input: { params, query: { after: 7 } },
    name: "events",
    args: [owner, podId(1), { after: 7, follow: false }, signal],
    gives: events,
  },
};

const operator = { kind: "operator" };

const OPERATOR: { readonly [Name in keyof typeof operatorApi]: Case } = {
  status: { input: {}, name: "status", args: [], gives: agentStatus() },
  capacity: { input: {}, name: "capacity", args: [], gives: capacity() },
  invite: {
    input: { body: { ttlSeconds: 60 } },
    name: "invite",
    args: [60],
    gives: { token: "lium-join1.x", expiresAt: lease.expiresAt },
  },
  listHosts: { input: {}, name: "listHosts", args: [], gives: [hostView()], answer: { hosts: [hostView()] } },
  getHost: { input: { params: { hostId: hostId(1) } }, name: "getHost", args: [hostId(1)], gives: hostView() },
  listGpus: {
    input: { query: { hostId: hostId(1) } },
    name: "listGpus",
    args: [hostId(1)],
    gives: [gpuSummary()],
    answer: { gpus: [gpuSummary()] },
  },
  getGpu: { input: { params: { uuid: "GPU-1xxx" } }, name: "getGpu", args: ["GPU-1xxx"], gives: gpuDetails() },
  metrics: { input: {}, name: "metrics", args: [], gives: 'lium_gpu_power_watts{uuid="\u00e9"} 1\n' },
  listPods: {
    input: { query: { hostId: hostId(1) } },
    name: "listPods",
    args: [operator, { all: false, hostId: hostId(1) }],
    gives: [view],
    answer: { pods: [view] },
  },
  getPod: { input: { params }, name: "getPod", args: [operator, podId(1)], gives: view },
  terminatePod: {
    input: { params },
    name: "changePod",
    args: [operator, podId(1), { do: "terminate", reason: "operator" }],
    gives: view,
  },
  adoptPod: { input: { params }, name: "adoptPod", args: [podId(1)], gives: view },
  podLogs: {
    input: { params },
    name: "logs",
    args: [operator, podId(1), { follow: false, tail: 1000 }, signal],
    gives: lines,
  },
  podEvents: {
    input: { params, query: { follow: "true" } },
    name: "events",
    args: [operator, podId(1), { after: 0, follow: true }, signal],
    gives: events,
  },
};

type AnyCall = (input: object) => Promise<unknown> | AsyncIterable<unknown>;

interface Listener extends AsyncDisposable {
  readonly client: object;
  readonly calls: UseCaseCall[];
}

interface Api {
  readonly routes: Readonly<Record<string, Route>>;
  readonly cases: Readonly<Record<string, Case>>;
  readonly start: (prepared: Partial<UseCases>) => Promise<Listener>;
}

async function callOf(listener: Listener, name: string, route: Route, input: object): Promise<unknown> {
  const answer = (listener.client as Record<string, AnyCall>)[name]?.(input);
  if (route.answer !== "ndjson") return answer;
  const items: unknown[] = [];
  for await (const item of answer as AsyncIterable<unknown>) items.push(item);
  return items;
}

describe.each<[string, Api]>([
  ["validator", { routes: validatorApi, cases: VALIDATOR, start: (prepared) => startValidatorListener(prepared) }],
  ["operator", { routes: operatorApi, cases: OPERATOR, start: (prepared) => startOperatorListener(prepared) }],
])("the %s API", (_, { routes, cases, start }) => {
  it("has a case here for every route", () => {
    expect(Object.keys(cases).toSorted()).toEqual(Object.keys(routes).toSorted());
  });

  it.each(Object.entries(routes))(
    "%s calls its use case once and answers with what that gives",
    async (name, route) => {
      const { input, name: useCase, args, gives, answer = gives } = cases[name] as Case;
      const isStream = route.answer === "ndjson" && Array.isArray(gives);
      const given = isStream ? () => streamOf(...(gives as unknown[])) : () => gives;
      await using listener = await start({ [useCase]: given });

      expect(await callOf(listener, name, route, input)).toEqual(answer);
      expect(listener.calls).toEqual([{ name: useCase, args }]);
    },
  );

  const refusals = Object.entries(routes).flatMap(([name, route]) => route.errors.map((code) => [name, code] as const));

  it.each(refusals)("%s can refuse with %s", async (name, code) => {
    const { input, name: useCase } = cases[name] as Case;
    const refuse = () => {
      throw new AppError(code);
    };
    await using listener = await start({ [useCase]: refuse });

    const call = callOf(listener, name, routes[name] as Route, input);

    await expect(call).rejects.toMatchObject({ name: "AppError", code });
  });
});

describe("waiting for a phase", () => {
  it("ends when the time is up, and answers with the newest view", async () => {
    await using listener = await startValidatorListener({
      awaitPhase: (_caller, _podId, _phase, until) =>
        new Promise((resolve) => until.addEventListener("abort", () => resolve(view))),
    });

    const answer = await listener.client.getPod({ params, query: { awaitPhase: "stopped", awaitSeconds: 0.05 } });

    expect(answer).toEqual(view);
    expect(listener.calls).toEqual([{ name: "awaitPhase", args: [owner, podId(1), "stopped", signal] }]);
  });

  it("is given up when the caller leaves", async () => {
    const [entered, left] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using listener = await startValidatorListener({
      awaitPhase: (_caller, _podId, _phase, until) => {
        entered.resolve();
        return new Promise((resolve) =>
          until.addEventListener("abort", () => {
            left.resolve();
            resolve(view);
          }),
        );
      },
    });
    const caller = new AbortController();
    const reason = new Error("enough");
    const call = listener.client.getPod({ params, query: { awaitPhase: "running" } }, caller.signal);
    await entered.promise;

    caller.abort(reason);

    await expect(call).rejects.toBe(reason);
    await left.promise;
  });
});

describe("a key that is no key", () => {
  it.each([`${SSH_KEY}\nssh-ed25519 AAAA`, `command="x" ${SSH_KEY}`, "", "'; rm -rf / #"])(
    "is refused before any use case is asked: %j",
    async (key) => {
      await using listener = await startValidatorListener();

      const call = listener.client.addSshKey({ params, body: { key } });

      await expect(call).rejects.toMatchObject({ code: "invalid-request" });
      expect(listener.calls).toEqual([]);
    },
  );
});
