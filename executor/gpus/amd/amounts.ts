/**
 * Numbers in the JSON of AMD's tools: bare, as text with a unit, or as a record of value and unit. Pure.
 */
import type { Known } from "../../../protocol/accelerator.ts";
import { isUnavailable, mapKnown, unavailable } from "../known.ts";
import { at, isBlock, type Node } from "../node.ts";
import { numberValue } from "../values.ts";

export function amount(node: Node, unit = ""): Known<number> {
  if (typeof node === "number") return Number.isFinite(node) ? numberValue(String(node), unit) : unavailable("error");
  if (typeof node === "string") return numberValue(node, unit);
  if (!isBlock(node)) return unavailable("not-read");
  const own = at(node, "unit");
  return amount(at(node, "value"), typeof own === "string" ? own : unit);
}

export function countAmount(node: Node): Known<number> {
  const value = amount(node);
  return isUnavailable(value) || (Number.isInteger(value) && value >= 0) ? value : unavailable("error", String(value));
}

/** Bytes; their MB are of 2^20. */
export function bytesAmount(node: Node): Known<number> {
  return mapKnown(amount(node), Math.round);
}
