/** The real Docker Engine keeps the promises of the Networks port. */
import Docker from "dockerode";

import { createDockerNetworks } from "../../executor/docker/dockerode-networks.ts";
import { networksCompliance } from "../compliance/networks.suite.ts";
import { busyboxImage, TEST_LABEL } from "../support/images.ts";

const docker = new Docker();

networksCompliance(async () => ({
  networks: createDockerNetworks({ socketPath: "/var/run/docker.sock" }),
  run: async (name, NetworkMode) => {
    const Image = await busyboxImage();
    const Cmd = ["/bin/busybox", "sleep", "1000"];
    const container = await docker.createContainer({
      name,
      Image,
      Cmd,
      Labels: TEST_LABEL,
      HostConfig: { NetworkMode },
    });
    await container.start();
    return () => container.stop({ t: 0 });
  },
  canStart: (name) =>
    docker
      .getContainer(name)
      .start()
      .then(
        () => true,
        () => false,
      ),
  removeContainer: (name) => docker.getContainer(name).remove({ force: true, v: true }),
}));
