/**
 * The validator API's routes, each as a call of a use case on behalf of the hotkey that signed the request.
 */
import type { Handlers } from "../../common/http-server.ts";
import type { PodId } from "../../protocol/ids.ts";
import type { PodView } from "../../protocol/pod.ts";
import type { validatorApi } from "../../protocol/validator-api.ts";
import type { PodChange, UseCases } from "../fleet/use-cases.ts";
import type { Owner } from "./auth.ts";
import type { CapacityBoard } from "./capacity-board.ts";

interface PodRequest {
  readonly caller: Owner;
  readonly params: { readonly podId: PodId };
}

export function validatorHandlers(useCases: UseCases, board: CapacityBoard): Handlers<typeof validatorApi, Owner> {
  const change =
    (wish: PodChange) =>
    ({ caller, params }: PodRequest): Promise<PodView> =>
      useCases.changePod(caller, params.podId, wish);

  return {
    capacity: () => board.answer(),
    capacityChanges: ({ query, signal }) => board.changes(query, signal),
    createPod: ({ caller, body, receivedAtMs }) => useCases.createPod(caller.hotkey, body, receivedAtMs),
    listPods: ({ caller, query }) => ({ pods: useCases.listPods(caller, query) }),
    getPod: ({ caller, params, query, signal }) => {
      if (query.awaitPhase === undefined) return useCases.getPod(caller, params.podId);
      const waited = AbortSignal.any([signal, AbortSignal.timeout(query.awaitSeconds * 1000)]);
      return useCases.awaitPhase(caller, params.podId, query.awaitPhase, waited);
    },
    stopPod: change({ do: "stop" }),
    startPod: change({ do: "start" }),
    restartPod: change({ do: "restart" }),
    extendPod: ({ body: lease, ...request }) => change({ do: "replace-lease", lease })(request),
    terminatePod: change({ do: "terminate", reason: "requested" }),
    addSshKey: ({ body: { key }, ...request }) => change({ do: "add-key", key })(request),
    removeSshKey: ({ query: { fingerprint }, ...request }) => change({ do: "remove-key", fingerprint })(request),
    podLogs: ({ caller, params, query, signal }) => useCases.logs(caller, params.podId, query, signal),
    podEvents: ({ caller, params, query, signal }) => useCases.events(caller, params.podId, query, signal),
  };
}
