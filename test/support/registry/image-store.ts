/**
 * The images of this machine's engine, for tests: what they bring here goes when they are over.
 */
import Docker from "dockerode";
import { onTestFinished } from "vitest";

import { systemClock } from "../../../common/clock.ts";
import { createDockerImages } from "../../../executor/docker/dockerode-images.ts";
import type { ImageStore } from "../../../executor/docker/image-store.ts";
import { TEST_LABEL } from "../images.ts";

const SOCKET_PATH = "/var/run/docker.sock";

export function machineImages(): ImageStore {
  return createDockerImages({ socketPath: SOCKET_PATH, clock: systemClock() });
}

/** Takes these names from the engine at the end of the test, if they are there. */
export function removeAtEnd(...references: readonly string[]): void {
  onTestFinished(async () => {
    const docker = new Docker({ socketPath: SOCKET_PATH });
    await Promise.all(
      references.map((reference) =>
        docker
          .getImage(reference)
          .remove()
          .catch(() => undefined),
      ),
    );
  });
}

/** Makes a container of an image, without starting it. Resolves with what removes it. */
export async function makeContainer(image: string): Promise<() => Promise<void>> {
  const docker = new Docker({ socketPath: SOCKET_PATH });
  const options = { Image: image, Labels: TEST_LABEL, HostConfig: { NetworkMode: "none" } };
  const container = await docker.createContainer(options);
  const remove = async (): Promise<void> => {
    await container.remove({ force: true }).catch(() => undefined);
  };
  onTestFinished(remove);
  return remove;
}
