/**
 * Which GPUs of a host a pod gets: those with the most links among them, so that what is left stays well linked too.
 * A pod never gets GPUs of several vendors, and of several models only by naming them; nor a part where a GPU was asked for.
 * Nothing is ever given twice: not to be had is what anybody holds, in time slices either. Pure.
 */
import type { Gpu, GpuLink } from "../../../protocol/gpu.ts";
import type { GpuUuid } from "../../../protocol/ids.ts";
import type { GpuRequest } from "../../../protocol/pod.ts";
import { scoresOf } from "./scores.ts";
import { bestSet, type Found, isBetter } from "./search.ts";

export interface GpuChoice {
  readonly chosen: readonly GpuUuid[];
  /** What keeps the pod from this host, in words; empty where the choice holds. */
  readonly missing: readonly string[];
}

/** The same whatever the order of `free`, which is all that nobody holds. */
export function chooseGpus(request: GpuRequest, free: readonly Gpu[], links: readonly GpuLink[] = []): GpuChoice {
  const { count, model, uuids } = request;
  if (uuids !== undefined) return takeNamed(uuids, free, model);
  if (count === 0) return { chosen: [], missing: [] };
  const fitting = free.filter((gpu) => answersTo(gpu, model)).toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
  const kinds = [...Map.groupBy(fitting, ({ vendor, model: name }) => `${vendor} ${name}`).values()];
  const best = kinds.flatMap((units) => bestOf(units, count, links)).reduce(betterOf, undefined);
  if (best !== undefined) return { chosen: best.chosen, missing: [] };
  return { chosen: [], missing: [shortage(request, free, kinds)] };
}

interface Candidate extends Found {
  readonly chosen: readonly GpuUuid[];
}

function bestOf(units: readonly Gpu[], count: number, links: readonly GpuLink[]): Candidate[] {
  const found = bestSet(scoresOf(units, links), count);
  if (found === undefined) return [];
  return [{ ...found, chosen: found.members.flatMap((at) => units[at]?.uuid ?? []) }];
}

function betterOf(best: Candidate | undefined, next: Candidate): Candidate {
  return best === undefined || isBetter(next, best) ? next : best;
}

function takeNamed(uuids: readonly GpuUuid[], free: readonly Gpu[], model: string | undefined): GpuChoice {
  const units = uuids.map((uuid) => free.find((gpu) => gpu.uuid === uuid && isLike(gpu.model, model)));
  const absent = uuids.filter((_, at) => units[at] === undefined);
  const vendors = new Set(units.flatMap((unit) => unit?.vendor ?? []));
  return {
    chosen: uuids,
    missing: [
      ...absent.map((uuid) => `gpus: ${uuid} is not free here`),
      ...(vendors.size > 1 ? [`gpus: a pod cannot have GPUs of both ${[...vendors].join(" and ")}`] : []),
    ],
  };
}

/** A part answers only to what its whole device would not: who asks for an H100 wants all of it. */
function answersTo({ model: name, partition }: Gpu, model: string | undefined): boolean {
  if (partition === undefined) return isLike(name, model);
  const device = name.endsWith(` ${partition.profile}`) ? name.slice(0, -` ${partition.profile}`.length) : name;
  return model !== undefined && isLike(name, model) && !isLike(device, model);
}

function isLike(name: string, model: string | undefined): boolean {
  return model === undefined || name.toLowerCase().includes(model.toLowerCase());
}

function shortage({ count, model }: GpuRequest, free: readonly Gpu[], kinds: readonly (readonly Gpu[])[]): string {
  const like = model === undefined ? "" : ` like ${JSON.stringify(model)}`;
  const total = kinds.reduce((sum, units) => sum + units.length, 0);
  if (total >= count) {
    const most = Math.max(...kinds.map((units) => units.length));
    return `gpus: ${count} of one model asked for, at most ${most} free${like}`;
  }
  const parts = free.filter((gpu) => gpu.partition !== undefined && isLike(gpu.model, model) && !answersTo(gpu, model));
  const hint =
    parts.length === 0 ? "" : `; ${parts.length} parts of GPUs too, which are to be asked for by their profile`;
  return `gpus: ${count} asked for, ${total} free${like}${hint}`;
}
