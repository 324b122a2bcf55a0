/** Interim. */
import { ERRORS, toAppError } from "../protocol/errors.ts";

export function printResult(value: unknown, { json }: { json?: boolean }, text: string): void {
  process.stdout.write(`${json === true ? JSON.stringify(value) : text}\n`);
}

export function printFailure(thrown: unknown, { json }: { json?: boolean }): number {
  const { code, message, details } = toAppError(thrown);
  const { impact, remedy } = ERRORS[code];
  process.stderr.write(`${json === true ? JSON.stringify({ error: { code, message, impact, remedy, details } }) : `error: ${message} (${code})\n  ${remedy}`}\n`);
  return 1;
}
