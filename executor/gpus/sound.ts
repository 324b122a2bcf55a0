/**
 * Readings as sources give them, with what cannot be true made unavailable: one senseless number costs that number and
 * nothing else. Pure.
 */
import { Accelerator } from "../../protocol/accelerator.ts";
import { unavailable } from "./known.ts";

/** Undefined where not even the device it is about can be made out. */
export function soundReading(reading: unknown): Accelerator | undefined {
  const parsed = Accelerator.safeParse(reading);
  if (parsed.success) return parsed.data;
  const mended = parsed.error.issues.reduce<unknown>(
    (whole, { path, message }) => replaced(whole, path, unavailable("error", `It makes no sense: ${message}`)),
    reading,
  );
  const again = Accelerator.safeParse(mended);
  return again.success ? again.data : undefined;
}

function replaced(node: unknown, [step, ...rest]: readonly PropertyKey[], value: unknown): unknown {
  if (step === undefined) return value;
  if (Array.isArray(node))
    return node.map((item: unknown, index) => (index === step ? replaced(item, rest, value) : item));
  if (typeof node !== "object" || node === null) return node;
  const fields = new Map<PropertyKey, unknown>(Object.entries(node));
  fields.set(step, replaced(fields.get(step), rest, value));
  return Object.fromEntries(fields);
}

/** Those that make sense. */
export function soundReadings(readings: readonly unknown[]): Accelerator[] {
  return readings.flatMap((reading) => soundReading(reading) ?? []);
}
