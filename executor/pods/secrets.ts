/**
 * What pods bring sealed, opened for as short as can be: while it is held in clear, no log line can show it.
 */
import type { Logger } from "../../common/logger.ts";
import { openSealed, type SealingKeyPair } from "../../common/sealed-box.ts";
import { AppError } from "../../protocol/errors.ts";
import { Environment, type PodSpec, type WantedPod } from "../../protocol/pod.ts";
import type { ImageAccess } from "../images/images.ts";

/** While the work goes on, no log line can show one of these values. */
export async function holding<T>(secrets: readonly string[], log: Logger, work: () => Promise<T>): Promise<T> {
  const releases = secrets.map((secret) => log.secrets.add(secret));
  try {
    return await work();
  } finally {
    for (const release of releases) release();
  }
}

/** Throws `secret-unreadable` when what comes out is no environment. */
export function openEnvironment(spec: PodSpec, key: SealingKeyPair): Environment {
  if (spec.sealedEnv === undefined) return {};
  const plaintext = openSealed(spec.sealedEnv, key);
  try {
    return Environment.parse(JSON.parse(new TextDecoder().decode(plaintext)));
  } catch {
    // The cause is left out: it would quote the secret.
    throw new AppError("secret-unreadable", { message: "The sealed environment is not a JSON object of strings." });
  }
}

/** Who asks for the pod's image, with the credentials that the registry is to see. */
export async function withImageAccess<T>(
  { owner, spec }: WantedPod,
  { sealingKey, log }: { readonly sealingKey: SealingKeyPair; readonly log: Logger },
  work: (access: ImageAccess) => Promise<T>,
): Promise<T> {
  const { registryAuth } = spec;
  if (registryAuth === undefined) return work({ owner });
  const password = new TextDecoder().decode(openSealed(registryAuth.password, sealingKey));
  const auth = { username: registryAuth.username, password };
  return holding([password], log, () => work({ owner, auth }));
}
