/**
 * What NVIDIA's library tells of its own accord, as findings. Pure.
 */
import { GpuUuid } from "../../../protocol/ids.ts";
import type { LineContext } from "../kernel/lines.ts";
import type { NvmlEvent } from "../nvidia/nvml/words.ts";
import type { Finding } from "./finding.ts";
import { ECHOES, xidRule } from "./xids.ts";

/** Undefined for what is only a reason to look at the device. */
export function findingOfEvent({ uuid, kind, data }: NvmlEvent, { at, overrides }: LineContext): Finding | undefined {
  const gpu = GpuUuid.safeParse(uuid);
  if (!gpu.success) return undefined;
  const common = { source: "nvml", where: { uuid: gpu.data }, at } as const;
  if (kind === "xid") {
    const rule = xidRule(data, overrides);
    const message = `The driver's library told Xid ${data}: ${rule.name}.`;
    return { ...common, code: `xid-${data}`, class: rule.class, echo: ECHOES.has(data), message };
  }
  if (kind === "ecc-double") {
    const message = "The driver's library told an error of its memory that could not be corrected.";
    return { ...common, code: "ecc-uncorrectable", class: "memory", echo: false, message };
  }
  return undefined;
}
