/**
 * A small container of the tests' own, as the ContainerRuntime port creates it; its label says whose it is.
 */
import type { ContainerSpec } from "../../executor/docker/runtime.ts";

export const SLEEP = ["/bin/busybox", "sleep", "1000"];

export interface SmallContainer {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Published on loopback as its port 80. */
  readonly hostPort?: number;
}

export function smallContainer(asked: SmallContainer): ContainerSpec {
  const { name, image, command = SLEEP, labels = {}, hostPort } = asked;
  return {
    name,
    Image: image,
    User: "0:0",
    Entrypoint: command,
    Cmd: [],
    Env: [],
    Labels: { "lium.test": "1", ...labels },
    Hostname: "small",
    ExposedPorts: hostPort === undefined ? {} : { "80/tcp": {} },
    HostConfig: {
      Init: true,
      NetworkMode: hostPort === undefined ? "none" : "bridge",
      PortBindings: hostPort === undefined ? {} : { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: String(hostPort) }] },
      Mounts: [],
      Tmpfs: {},
      ReadonlyRootfs: false,
      Memory: 64 * 2 ** 20,
      MemorySwap: 64 * 2 ** 20,
      NanoCpus: 1_000_000_000,
      PidsLimit: 64,
      ShmSize: 2 ** 20,
      SecurityOpt: ["no-new-privileges"],
      LogConfig: { Type: "json-file", Config: {} },
      RestartPolicy: { Name: "no" },
    },
  };
}
