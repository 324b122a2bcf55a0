/**
 * A fault as data: what is done to the host, and what must hold. Whatever it does, afterwards every counter has to go on,
 * every pod has to be as wanted and once, and nothing may be left of the pods (scene.ts): a fault need not say that again.
 */
import type { Scene } from "./scene.ts";

export interface Fault {
  /** A few words; the demand that it proves comes first, as in `demand 1: ...`. */
  readonly name: string;
  readonly does: string;
  readonly holds: string;
  /** One of the few that every test run includes. */
  readonly short?: true;
  /** Why it cannot hold yet. It is listed, and run only when asked for. */
  readonly todo?: string;
  /** Parts of the footprint that Docker itself forgets in this fault, and that we have no hand in. */
  readonly engineLeaves?: readonly string[];
  /** Two minutes when left out. */
  readonly limitMs?: number;
  readonly run: (scene: Scene) => Promise<void>;
}

export interface FaultGroup {
  readonly about: string;
  readonly faults: readonly Fault[];
}
