/**
 * A network for the window: one of those that pods have, behind the same checks, so that what a validator reaches is what a renter
 * would. A bridge that it shared with strangers could take another address when one of them comes or goes, and a stream would
 * stand still until the container asks for it anew.
 */
import type { KeyedLock } from "../../../../common/keyed-lock.ts";
import { AppError, toAppError } from "../../../../protocol/errors.ts";
import type { Isolation } from "../../../isolation/isolation.ts";
import type { NetworkLoan } from "../../../isolation/networks.ts";
import { ADMISSION } from "../../../pods/admission.ts";
import type { KnownPods } from "../../../pods/known.ts";

export interface BorrowDeps {
  /** Pods choose theirs in it. */
  readonly admissions: KeyedLock;
  readonly isolation: {
    readonly networks: Pick<Isolation["networks"], "lend" | "ensure">;
    readonly check: Isolation["check"];
  };
  /** Undefined until it is known which pods there are. */
  readonly known: () => Pick<KnownPods, "subnets"> | undefined;
}

/** A range may turn out to be somebody else's; then there is another. */
const TRIES = 3;

/**
 * Rejects with `network-taken` when none is free, with `isolation-unavailable` when a pod could not start now either, and with
 * `engine-unavailable` while it is not known which pods there are.
 */
export async function borrowNetwork(container: string, deps: BorrowDeps, signal: AbortSignal): Promise<NetworkLoan> {
  await deps.isolation.check(signal);
  for (let tries = 1; ; tries += 1) {
    const loan = await deps.admissions.run(ADMISSION, async () => lend(deps), signal);
    try {
      await deps.isolation.networks.ensure(loan.network, container, signal);
      return loan;
    } catch (error) {
      loan.end();
      if (toAppError(error).code !== "network-taken" || tries === TRIES) throw error;
    }
  }
}

function lend({ isolation, known }: BorrowDeps): NetworkLoan {
  const pods = known();
  if (pods === undefined)
    throw new AppError("engine-unavailable", { message: "It is not known yet which pods there are." });
  const loan = isolation.networks.lend(pods.subnets);
  if (loan === undefined) throw new AppError("network-taken", { message: "No network is free for the ports." });
  return loan;
}
