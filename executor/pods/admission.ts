/**
 * May this pod run here? The host's own check of a wish, after the agent's: pure, and refusal is a normal answer.
 */
import type { ErrorCode } from "../../protocol/errors.ts";
import type { Gpu } from "../../protocol/gpu.ts";
import type { HostResources } from "../../protocol/host.ts";
import type { GpuUuid, PodId } from "../../protocol/ids.ts";
import type { Reason, WantedPod } from "../../protocol/pod.ts";
import { type Claims, freeOf } from "./claims.ts";

/** The key of the lock under which pods are admitted one at a time. */
export const ADMISSION = "admission";

export interface AdmissionInput {
  readonly wanted: WantedPod;
  readonly claims: Claims;
  readonly gpus: readonly Gpu[];
  /** GPUs that a container holds which is no pod that we know, with its name. */
  readonly blocked: ReadonlyMap<GpuUuid, string>;
  readonly rentable: HostResources;
  readonly sealingKey: string;
  /** What the pod's volume would take of the disk on top. */
  readonly volumeBytes: number;
  /** Why no pod at all can be taken now. */
  readonly pressure: Reason | undefined;
  /** The pods that are there already, where this host takes only one at a time; none where it takes several. */
  readonly inTheWay: readonly PodId[];
}

/** Why the pod is refused, or undefined when it is admitted. */
export function refusalOf(input: AdmissionInput): Reason | undefined {
  return input.pressure ?? sharingRefusal(input) ?? gpuRefusal(input) ?? resourceRefusal(input) ?? secretRefusal(input);
}

function sharingRefusal({ inTheWay }: AdmissionInput): Reason | undefined {
  const [holder] = inTheWay;
  if (holder === undefined) return undefined;
  const message = `Pod ${holder} has this host for itself, because the engine cannot limit what a pod writes to its disk.`;
  return refusal("quota-unavailable", message, { holder });
}

function gpuRefusal({ wanted, claims, gpus, blocked }: AdmissionInput): Reason | undefined {
  if (new Set(wanted.gpus).size !== wanted.spec.gpus.count) {
    return refusal("gpu-unknown", "The number of assigned GPUs differs from the number that was asked for.", {});
  }
  for (const uuid of wanted.gpus) {
    const container = blocked.get(uuid);
    if (container !== undefined) {
      const message = `GPU ${uuid} is or may be held by the container ${container}, which is no pod that is known here.`;
      return refusal("gpu-taken", message, { uuid, container });
    }
    const unit = gpus.find((gpu) => gpu.uuid === uuid);
    if (unit === undefined) return refusal("gpu-unknown", `GPU ${uuid} is not on this host.`, { uuid });
    const holder = claims.gpus.get(uuid) ?? claims.gpus.get(unit.partition?.parent ?? uuid);
    if (holder !== undefined && holder !== wanted.podId) {
      return refusal("gpu-taken", `GPU ${uuid} is held by pod ${holder}.`, { uuid, holder });
    }
  }
  return undefined;
}

function resourceRefusal({ wanted, claims: { used }, rentable, volumeBytes }: AdmissionInput): Reason | undefined {
  const free = freeOf(rentable, used);
  for (const resource of ["cpus", "memoryBytes", "diskBytes"] as const) {
    const asked = wanted.spec[resource] + (resource === "diskBytes" ? volumeBytes : 0);
    const left = free[resource];
    if (asked <= left) continue;
    const message = `The pod asks for ${asked} ${resource}, and ${left} are free.`;
    return refusal("host-full", message, { resource, asked, free: left });
  }
  return undefined;
}

function secretRefusal({ wanted: { spec }, sealingKey }: AdmissionInput): Reason | undefined {
  const sealed = [spec.sealedEnv, spec.registryAuth?.password, spec.volume?.key].filter((value) => value !== undefined);
  if (sealed.every((value) => value.to === sealingKey)) return undefined;
  return refusal("secret-wrong-host", "A sealed value is sealed to another host's key.", {});
}

function refusal(code: ErrorCode, message: string, details: Record<string, unknown>): Reason {
  return { code, message, details };
}
