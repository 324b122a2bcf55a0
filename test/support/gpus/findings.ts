/**
 * Findings as somebody might tell them.
 */
import type { Finding, FindingClass } from "../../../executor/gpus/health/finding.ts";

/** `at` in ms. */
export function findingOf(code: string, kind: FindingClass, at: number, more: Partial<Finding> = {}): Finding {
  const where = { pciAddress: "0000:17:00.0" };
  return { code, class: kind, at, echo: false, source: "kernel", where, message: `${code} at ${at}`, ...more };
}
