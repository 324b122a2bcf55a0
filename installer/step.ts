/**
 * A step of a set-up: look first, act only when needed. Running the same steps again changes nothing.
 */
export interface Step {
  readonly name: string;
  /** Whether the machine is already as it should be. */
  check(): Promise<boolean>;
  apply(): Promise<void>;
}

export type Say = (text: string) => void;

/** Applies the steps in order, leaving out those that are done. */
export async function applySteps(steps: readonly Step[], say: Say): Promise<void> {
  for (const step of steps) {
    if (await step.check()) continue;
    say(`${step.name} ...`);
    await step.apply();
  }
}
