/**
 * Why NVIDIA's clocks are low, as bits that its library and its tools share. Pure.
 */
import type { ThrottleReason } from "../../../protocol/accelerator.ts";

const BITS: readonly (readonly [bit: number, reason: ThrottleReason])[] = [
  [0x1, "idle"],
  [0x2, "applications-clocks"],
  [0x4, "power-cap"],
  [0x8, "hw-slowdown"],
  [0x10, "sync-boost"],
  [0x20, "sw-thermal"],
  [0x40, "hw-thermal"],
  [0x80, "hw-power-brake"],
  [0x100, "display-clocks"],
];

export function throttleReasonsOf(bits: number): ThrottleReason[] {
  return BITS.filter(([bit]) => (bits & bit) !== 0).map(([, reason]) => reason);
}
