/**
 * CDI specifications: which names a container may ask the engine for, and which device files each stands for. Pure.
 */
import { z } from "zod";

import { readSpecText } from "./spec-text.ts";

/** A list that is left out, or empty as YAML writes it, has nothing in it. */
function listOf<T extends z.ZodType>(item: T) {
  return z
    .array(item)
    .nullish()
    .transform((items) => items ?? []);
}

const Edits = z
  .object({
    deviceNodes: listOf(z.object({ path: z.string(), hostPath: z.string().nullish() })),
    hooks: listOf(z.unknown()),
    mounts: listOf(z.object({ hostPath: z.string() })),
  })
  .nullish()
  .transform((edits) => edits ?? { deviceNodes: [], hooks: [], mounts: [] });

const Name = z.union([z.string(), z.number()]).transform(String);

const Spec = z.object({
  kind: z.string().regex(/^[^/=\s]+\/[^/=\s]+$/),
  devices: listOf(z.object({ name: Name, containerEdits: Edits })),
  containerEdits: Edits,
});

export interface CdiNode {
  /** In a container. */
  readonly path: string;
  readonly hostPath: string;
}

export interface CdiDevice {
  /** As it is asked for: `vendor/class=name`. */
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly nodes: readonly CdiNode[];
  /** What everybody gets who asks for any device of this specification. */
  readonly sharedNodes: readonly CdiNode[];
  /** Whether programs of the vendor's toolkit run when a container with it starts. */
  readonly runsHooks: boolean;
  /** Of the driver's libraries that are mounted, where their names tell. */
  readonly driverVersion: string | undefined;
}

/** The devices of one file. Throws where it is no CDI specification that can be read. */
export function cdiDevicesOf(text: string): CdiDevice[] {
  const { kind, devices, containerEdits: shared } = Spec.parse(readSpecText(text));
  const driverVersion = shared.mounts
    .map(({ hostPath }) => /\/libcuda\.so\.(\d+(?:\.\d+)+)$/.exec(hostPath)?.[1])
    .find((version) => version !== undefined);
  return devices.map(({ name, containerEdits: own }) => ({
    id: `${kind}=${name}`,
    kind,
    name,
    nodes: nodesOf(own),
    sharedNodes: nodesOf(shared),
    runsHooks: own.hooks.length + shared.hooks.length > 0,
    driverVersion,
  }));
}

function nodesOf({ deviceNodes }: z.output<typeof Edits>): CdiNode[] {
  return deviceNodes.map(({ path, hostPath }) => ({ path, hostPath: hostPath ?? path }));
}
