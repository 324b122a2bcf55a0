/**
 * What a pod needs of this host before its container is made or started: protection, its network, its files, its volume.
 * Each is there already or made now, so doing it again is harmless; nothing is started while one of them is missing.
 */
import { chown } from "node:fs/promises";

import { openSealed } from "../../common/sealed-box.ts";
import { containerName } from "../docker/labels.ts";
import { generateSshHostKey } from "../ssh/host-key.ts";
import { writePodFiles, writeSecretEnv } from "../ssh/pod-files.ts";
import type { PodDirs } from "../ssh/pod-kit.ts";
import { holding, openEnvironment } from "./secrets.ts";
import type { PodRecord } from "./state.ts";
import type { StepDeps } from "./step-deps.ts";

/** What must be there whenever a container of the pod is made or started; what cannot be protected is not. */
export async function prepare(record: PodRecord, deps: StepDeps, signal: AbortSignal): Promise<PodDirs> {
  const { isolation } = deps;
  await isolation.check(signal);
  const [dirs] = await Promise.all([
    prepareFiles(record, deps),
    record.network && isolation.networks.ensure(record.network, containerName(record.wanted.podId), signal),
    attachVolume(record, deps, signal),
  ]);
  return dirs;
}

async function attachVolume({ wanted }: PodRecord, deps: StepDeps, signal: AbortSignal): Promise<void> {
  const { podId, owner, spec } = wanted;
  if (spec.volume === undefined) return;
  const { name, sizeBytes, key: sealed } = spec.volume;
  const key = sealed && openSealed(sealed, deps.sealingKey);
  const path = await deps.volumes.attach({ owner, name, sizeBytes, key, podId }, signal);
  const { podRoot } = deps.isolation;
  if (podRoot !== undefined) await chown(path, podRoot.uid, podRoot.gid);
}

export function volumePathOf({ wanted: { owner, spec } }: PodRecord, { volumes }: StepDeps): string | undefined {
  return spec.volume && volumes.hostPathOf(owner, spec.volume.name);
}

/** The files that a pod needs before its container starts; after a reboot the secrets in memory are gone, so always. */
async function prepareFiles(record: PodRecord, deps: StepDeps): Promise<PodDirs> {
  const dirs = deps.dirsOf(record);
  const { spec } = record.wanted;
  const owner = deps.isolation.podRoot;
  const secrets = openEnvironment(spec, deps.sealingKey);
  await holding(Object.values(secrets), deps.log, () =>
    Promise.all([
      writePodFiles(dirs.podDir, { hostKey: generateSshHostKey(), authorizedKeys: spec.sshKeys, owner }),
      writeSecretEnv(dirs.secretDir, secrets, owner),
    ]),
  );
  return dirs;
}
