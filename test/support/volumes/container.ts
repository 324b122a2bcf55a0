/**
 * A container of the real engine with folders of the host in it, as a pod gets its volume.
 */
import Docker from "dockerode";
import { onTestFinished } from "vitest";

import { busyboxImage, TEST_LABEL } from "../images.ts";

/** Made and not started. */
export async function container(folders: Readonly<Record<string, string>>, script: string): Promise<Docker.Container> {
  const docker = new Docker({ socketPath: "/var/run/docker.sock" });
  const made = await docker.createContainer({
    Image: await busyboxImage(),
    Cmd: ["/bin/busybox", "sh", "-c", script],
    Labels: TEST_LABEL,
    HostConfig: {
      NetworkMode: "none",
      Mounts: Object.entries(folders).map(([Target, Source]) => ({ Type: "bind", Source, Target })),
    },
  });
  onTestFinished(() => made.remove({ force: true }));
  return made;
}

/** What it printed, once it has ended. */
export async function outputOf(made: Docker.Container): Promise<string> {
  await made.start();
  await made.wait();
  const log = await made.logs({ stdout: true, stderr: true });
  return log.toString("utf8");
}
