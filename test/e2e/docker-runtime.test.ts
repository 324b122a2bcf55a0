/** The real Docker Engine keeps the promises of the port. */
import { createDockerRuntime } from "../../executor/docker/dockerode-runtime.ts";
import { containerRuntimeCompliance } from "../compliance/container-runtime.suite.ts";
import { busyboxImage } from "../support/images.ts";

const runtime = createDockerRuntime({ socketPath: "/var/run/docker.sock" });

containerRuntimeCompliance(async () => ({
  runtime,
  image: await busyboxImage(),
  sleeper: ["/bin/busybox", "sleep", "1000"],
  failing: ["/bin/busybox", "sh", "-c", "exit 3"],
}));
