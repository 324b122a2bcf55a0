/**
 * The operator API's routes, each as a call of a use case. Whoever reaches the socket is the operator.
 */
import type { Handlers } from "../../common/http-server.ts";
import type { operatorApi } from "../../protocol/operator-api.ts";
import type { Caller, UseCases } from "../fleet/use-cases.ts";

export const OPERATOR = { kind: "operator" } as const satisfies Caller;

export function operatorHandlers(useCases: UseCases): Handlers<typeof operatorApi, typeof OPERATOR> {
  return {
    status: () => useCases.status(),
    capacity: () => useCases.capacity(),
    invite: ({ body }) => useCases.invite(body.ttlSeconds),
    listHosts: () => ({ hosts: useCases.listHosts() }),
    getHost: ({ params }) => useCases.getHost(params.hostId),
    listGpus: ({ query }) => ({ gpus: useCases.listGpus(query.hostId) }),
    getGpu: ({ params }) => useCases.getGpu(params.uuid),
    metrics: () => useCases.metrics(),
    listPods: ({ caller, query }) => ({ pods: useCases.listPods(caller, query) }),
    getPod: ({ caller, params }) => useCases.getPod(caller, params.podId),
    terminatePod: ({ caller, params }) =>
      useCases.changePod(caller, params.podId, { do: "terminate", reason: "operator" }),
    adoptPod: ({ params }) => useCases.adoptPod(params.podId),
    podLogs: ({ caller, params, query, signal }) => useCases.logs(caller, params.podId, query, signal),
    podEvents: ({ caller, params, query, signal }) => useCases.events(caller, params.podId, query, signal),
  };
}
