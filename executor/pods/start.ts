/**
 * The pods of this host, made and started; closing them stops no pod.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import type { Base } from "../base.ts";
import { portRanges } from "../config.ts";
import { createDockerEnding } from "../docker/dockerode-ending.ts";
import { isPortFree } from "../host/free-port.ts";
import { linuxProcesses } from "../host/processes/linux-processes.ts";
import type { ImageParts } from "../images/start.ts";
import type { Isolation } from "../isolation/isolation.ts";
import type { Meter } from "../metering/meter.ts";
import type { PodKit } from "../ssh/pod-kit.ts";
import type { Volumes } from "../storage/volumes/volumes.ts";
import { Pods, type PodsDeps, type PodsOptions } from "./reconcile.ts";

export interface PodParts {
  readonly sicknessOf: PodsDeps["sicknessOf"];
  readonly kit: PodKit;
  readonly images: ImageParts;
  readonly isolation: Isolation;
  readonly volumes: Volumes;
  readonly meter: Meter;
}

export async function startPods(base: Base, parts: PodParts): Promise<Pods> {
  const { config, life } = base;
  const secretsDir = join(config.runDir, "secrets");
  await mkdir(secretsDir, { recursive: true, mode: 0o700 });
  const pods = new Pods(optionsOf(base), {
    ...depsOf(base, parts),
    dirsOf: ({ wanted: { podId } }) => ({
      kitDir: parts.kit.dir,
      podDir: join(config.stateDir, "pods", podId),
      secretDir: join(secretsDir, podId),
    }),
  });
  life.add("pods", () => pods.close());
  await pods.start();
  return pods;
}

function optionsOf({ config, facts }: Base): PodsOptions {
  const { resyncSeconds, probeEverySeconds, restartFirstSeconds, restartLongestSeconds } = config.pods;
  return {
    ranges: portRanges(config),
    publicAddress: facts.value.publicAddress,
    resyncMs: resyncSeconds * 1000,
    pace: {
      probeEveryMs: probeEverySeconds * 1000,
      restart: { firstDelayMs: restartFirstSeconds * 1000, maxDelayMs: restartLongestSeconds * 1000 },
    },
  };
}

function depsOf(base: Base, { images, isolation, volumes, meter, sicknessOf }: PodParts): Omit<PodsDeps, "dirsOf"> {
  const { config, facts, keys, clock } = base;
  const { bindAddress } = config.network;
  return {
    ...base,
    images: images.images,
    isolation,
    sicknessOf,
    volumes,
    volumeBytes: ({ owner, spec: { volume } }) =>
      volume === undefined ? 0 : volumes.bytesNeeded({ owner, ...volume }),
    meter,
    pressure: () => images.collector.pressure(),
    sealingKey: keys.sealing,
    ending: {
      engine: createDockerEnding({ socketPath: config.docker.socketPath }),
      processes: linuxProcesses(),
      clock,
    },
    bindAddress,
    host: keys.identity.publicKey,
    probeAddress: bindAddress === "0.0.0.0" ? "127.0.0.1" : bindAddress,
    limits: { probeMs: config.pods.probeSeconds * 1000, stopGraceSeconds: config.pods.stopGraceSeconds },
    gpus: () => facts.value.gpus,
    rentable: () => facts.value.rentable,
    shared: () => facts.value.shared,
    isPortFree: (port, protocol) => isPortFree(port, protocol, bindAddress),
  };
}
