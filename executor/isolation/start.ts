/**
 * What keeps pods apart, made over the real engine and this host's firewall.
 */
import type { Base } from "../base.ts";
import { createDockerNetworks } from "../docker/dockerode-networks.ts";
import { createEmptyImage } from "../docker/empty-image.ts";
import type { PodKit } from "../ssh/pod-kit.ts";
import { createIsolation, type Isolation } from "./isolation.ts";

export function makeIsolation(base: Base, kit: PodKit): Promise<Isolation> {
  const { socketPath } = base.config.docker;
  return createIsolation({
    ...base,
    config: base.config.isolation,
    hostId: base.keys.identity.publicKey,
    networks: createDockerNetworks({ socketPath }),
    emptyImage: createEmptyImage({ socketPath }),
    kitDir: kit.dir,
    log: base.log.child({ part: "isolation" }),
  });
}
