/**
 * Pods where the engine maps root of a pod to nobody on the host, and in a second runtime beside runc: what the executor
 * writes for them must be readable, and a renter must get in.
 */
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { until } from "../support/arena/wait.ts";
import { busyboxImage } from "../support/images.ts";
import { isolationIn, type LabPod, startPod } from "../support/lab-pods.ts";
import { Lab } from "../support/lab.ts";
import { makeKey } from "../support/ssh-pod.ts";

let lab: Lab;
let image: string;
let key: string;

beforeAll(async () => {
  lab = await Lab.open();
  image = await busyboxImage();
  key = await makeKey(join(lab.dir, "key"));
  // A crun older than the engine refuses its words for what it does support, and hosts with both versions of cgroups.
  await lab.run(["umount", "/sys/fs/cgroup/unified"]);
  const words = `sed -i 's/"ociVersion":"1[^"]*"/"ociVersion":"1.0.2"/' "$bundle/config.json"`;
  const findBundle = 'for arg; do [ "$last" = --bundle ] && bundle=$arg; last=$arg; done; [ -z "$bundle" ]';
  await writeFile(join(lab.dir, "crun"), `#!/bin/sh\n${findBundle} || ${words}\nexec crun "$@"\n`);
  await chmod(join(lab.dir, "crun"), 0o755);
});

afterAll(() => lab[Symbol.asyncDispose]());

async function logIn(pod: LabPod, command: string) {
  const options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"];
  const flags = [
    "-F",
    "none",
    "-i",
    join(lab.dir, "key"),
    "-p",
    String(pod.ports.ssh),
    ...options.flatMap((o) => ["-o", o]),
  ];
  return until("a login", 20_000, async () => {
    const result = await lab.run(["ssh", ...flags, "root@127.0.0.1", command]);
    if (result.exitCode === 255) throw new Error(result.stderr);
    return result;
  });
}

describe.each([
  { name: "runc", userns: undefined, runtime: undefined },
  { name: "crun", userns: undefined, runtime: "crun" },
  { name: "runc with mapped users", userns: "default", runtime: undefined },
  { name: "crun with mapped users", userns: "default", runtime: "crun" },
])("$name", ({ userns, runtime }) => {
  beforeAll(async () => {
    const runtimes = { crun: { path: join(lab.dir, "crun") } };
    await lab.startEngine({ runtimes, ...(userns === undefined ? {} : { "userns-remap": userns }) });
    await lab.load(image);
  });

  it("lets a renter log in, who sees the pod's secrets and is root of the pod alone", async () => {
    const isolation = await isolationIn(lab, runtime === undefined ? {} : { runtime });

    const pod = await startPod(lab, isolation, { image, keys: [key] });
    const login = await logIn(pod, 'id -u; echo "$SECRET"; cat /proc/self/uid_map');
    const { HostConfig } = await lab.docker.getContainer(pod.name).inspect();

    const [uid, secret, map] = login.stdout.trim().split("\n");
    expect([uid, secret]).toEqual(["0", "sealed"]);
    expect(map?.trim().split(/\s+/)).toEqual([
      "0",
      userns === undefined ? "0" : String(isolation.podRoot?.uid),
      expect.any(String),
    ]);
    expect(HostConfig.Runtime).toBe(runtime ?? "runc");
  });
});
