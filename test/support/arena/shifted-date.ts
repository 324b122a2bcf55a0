/**
 * Loaded into a program before its own code (clock.ts): its Date is off by what a file says, read anew now and then.
 */
import { readFileSync } from "node:fs";

const RealDate = Date;
const file = process.env["CLOCK_OFFSET_FILE"] ?? "";
const REREAD_MS = 20;
const state = { offsetMs: 0, readAtMs: Number.NEGATIVE_INFINITY };

function offsetMs(): number {
  if (performance.now() - state.readAtMs < REREAD_MS) return state.offsetMs;
  state.readAtMs = performance.now();
  try {
    state.offsetMs = Number(readFileSync(file, "utf8"));
  } catch {
    state.offsetMs = 0;
  }
  return state.offsetMs;
}

const now = (): number => RealDate.now() + offsetMs();

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: [], newTarget: typeof Date) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as Date,
  apply: () => new RealDate(now()).toString(),
  get: (target, key, receiver) => (key === "now" ? now : (Reflect.get(target, key, receiver) as unknown)),
});
