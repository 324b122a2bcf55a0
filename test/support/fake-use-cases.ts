/**
 * What the agent can do, for tests of the ways in: it answers what the test prepared, remembers every call,
 * and throws on a call that nobody prepared.
 */
import type { UseCases } from "../../agent/fleet/use-cases.ts";

export interface UseCaseCall {
  readonly name: keyof UseCases;
  readonly args: readonly unknown[];
}

export interface FakeUseCases {
  readonly useCases: UseCases;
  readonly calls: UseCaseCall[];
}

type AnyFunction = (...args: unknown[]) => unknown;

export function fakeUseCases(prepared: Partial<UseCases> = {}): FakeUseCases {
  const calls: UseCaseCall[] = [];
  const useCases = new Proxy(prepared, {
    get: (_, property) => {
      const name = property as keyof UseCases;
      return (...args: unknown[]) => {
        calls.push({ name, args });
        const answer = prepared[name] as AnyFunction | undefined;
        if (answer === undefined) throw new Error(`nobody prepared ${name}`);
        return answer(...args);
      };
    },
  });
  return { useCases: useCases as UseCases, calls };
}
