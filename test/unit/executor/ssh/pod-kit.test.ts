/**
 * How a container is told to use the kit; what the kit does in pods is in test/e2e/.
 */
import { readFileSync } from "node:fs";

import { describe, expect, it } from "vitest";

import { findPrograms } from "../../../../executor/ssh/kit-sources.ts";
import { KIT_PACKAGES, kitEntrypoint, kitMounts, SSH_PORT } from "../../../../executor/ssh/pod-kit.ts";

describe("the pod kit", () => {
  it("starts a pod with its own busybox, and passes the command on as it is", () => {
    const argv = ["sh", "-c", "echo '$(x)'", "--", "--stay"];

    expect(kitEntrypoint({ argv, user: "app:users", stay: true })).toEqual({
      entrypoint: ["/.lium/k/bin/busybox", "sh", "/.lium/k/init", "--user", "app:users", "--stay", "--"],
      cmd: argv,
    });
  });

  it("says nothing of a user or of staying where there is nothing to say", () => {
    expect(kitEntrypoint({ argv: [], user: "", stay: false })).toEqual({
      entrypoint: ["/.lium/k/bin/busybox", "sh", "/.lium/k/init", "--"],
      cmd: [],
    });
  });

  it("is mounted read-only, with the pod's folder, its secrets and its names", () => {
    const mounts = kitMounts({ kitDir: "/a/kit", podDir: "/a/pod", secretDir: "/run/secret" });

    expect(mounts).toEqual([
      { hostPath: "/a/kit", podPath: "/.lium/k", readOnly: true },
      { hostPath: "/a/pod", podPath: "/.lium/pod", readOnly: true },
      { hostPath: "/run/secret", podPath: "/.lium/secret", readOnly: true },
      { hostPath: "/a/pod/names/hostname", podPath: "/etc/hostname", readOnly: true },
      { hostPath: "/a/pod/names/hosts", podPath: "/etc/hosts", readOnly: true },
      { hostPath: "/a/pod/names/resolv.conf", podPath: "/etc/resolv.conf", readOnly: true },
    ]);
  });

  it("listens on the port that its init names", () => {
    const server = readFileSync(new URL("../../../../executor/ssh/kit/server.sh", import.meta.url), "utf8");

    expect(server).toContain(` -p ${SSH_PORT} `);
  });

  it("names every package that is missing at once, and what could be installed", async () => {
    const missing = ["one", "two"].map((name) => ({ name, packageName: `${name}-bin`, paths: [`/none/${name}`] }));

    const refused = findPrograms(missing, AbortSignal.timeout(5_000));

    await expect(refused).rejects.toMatchObject({
      code: "kit-unavailable",
      details: { missing: ["one-bin", "two-bin"] },
    });
    expect(KIT_PACKAGES).toEqual(expect.arrayContaining(["dropbear-bin", "busybox-static", "patchelf"]));
  });
});
