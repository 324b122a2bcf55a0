/**
 * Tools that die: from the n-th moment on nothing works any more, as after `kill -9`. A moment is before or after a step, so
 * that a step that was done and never noted is among them.
 */
import type { VolumeCipher } from "../../../executor/storage/volumes/cipher.ts";
import type { VolumeTools } from "../../../executor/storage/volumes/tools.ts";

export class Died extends Error {}

export interface Mortal {
  readonly tools: VolumeTools;
  readonly cipher: VolumeCipher;
  /** What it died at; undefined while it lives. */
  readonly diedAt: string | undefined;
}

/** `moment`: from 0; each step has two. */
export function mortal(parts: { tools: VolumeTools; cipher: VolumeCipher }, moment: number): Mortal {
  let passed = 0;
  let diedAt: string | undefined;
  const pass = (what: string): void => {
    if (passed === moment) diedAt ??= what;
    passed++;
    if (diedAt !== undefined) throw new Died(diedAt);
  };
  const wrap = <T extends object>(target: T): T =>
    new Proxy(target, {
      get: (of, name) => {
        const verb: unknown = Reflect.get(of, name);
        if (typeof verb !== "function") return verb;
        return async (...args: unknown[]) => {
          pass(`before ${String(name)}`);
          const result: unknown = await Reflect.apply(verb, of, args);
          pass(`after ${String(name)}`);
          return result;
        };
      },
    });
  const [tools, cipher] = [wrap(parts.tools), wrap(parts.cipher)];
  return {
    tools,
    cipher,
    get diedAt() {
      return diedAt;
    },
  };
}
