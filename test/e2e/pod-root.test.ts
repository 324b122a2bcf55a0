/**
 * What root of a pod still can, with nothing but the documented capabilities: install packages, run servers as other users,
 * and log in through an image's own SSH server.
 */
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { ownSshdImage } from "../support/images.ts";
import { runClient, SshPod } from "../support/ssh-pod.ts";

const CONTROL =
  "Package: tiny\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: tiny\n";
/** What packages of servers do when they are configured. */
const POSTINST = `#!/bin/sh
set -e
useradd --system tiny
install -d -o tiny -g tiny -m 2770 /var/lib/tiny
touch /var/lib/tiny/file
chown tiny:tiny /var/lib/tiny/file
chmod 4755 /var/lib/tiny/file
chown :daemon /var/lib/tiny
chmod g+s /var/lib/tiny
`;

describe("root of a pod", () => {
  let folder: string;
  let pod: SshPod;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "lium-deb-"));
    pod = await SshPod.start({ image: await ownSshdImage() });
    await pod.untilReady();
  });

  afterAll(async () => {
    await pod.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  it("installs a package, whose scripts make users and hand files over", async () => {
    await mkdir(join(folder, "tiny/DEBIAN"), { recursive: true });
    await writeFile(join(folder, "tiny/DEBIAN/control"), CONTROL);
    await writeFile(join(folder, "tiny/DEBIAN/postinst"), POSTINST);
    await chmod(join(folder, "tiny/DEBIAN/postinst"), 0o755);
    await runClient("dpkg-deb", ["--build", join(folder, "tiny"), join(folder, "tiny.deb")]);

    const copied = await pod.copy("scp", [join(folder, "tiny.deb"), "pod:/tmp/tiny.deb"]);
    const installed = await pod.ssh("chmod 644 /tmp/tiny.deb; apt-get install --yes /tmp/tiny.deb 2>&1");
    const seen = await pod.ssh("stat -c '%U:%G %a' /var/lib/tiny /var/lib/tiny/file");

    expect(copied.exitCode).toBe(0);
    expect(installed.stdout).not.toMatch(/permi|not permitted|denied/i);
    expect(installed.exitCode).toBe(0);
    expect(seen.stdout).toBe("tiny:daemon 2770\ntiny:tiny 4755\n");
  });

  it("becomes other users, reads their files, and stops their processes", async () => {
    const script =
      "su daemon -s /bin/sh -c 'umask 077; id -un >/tmp/theirs; sleep 60' & sleep 0.3; cat /tmp/theirs; pkill -u daemon && echo stopped";

    expect((await pod.ssh(script)).stdout).toBe("daemon\nstopped\n");
  });

  it("logs in through the image's own SSH server", async () => {
    const flags = "-o StrictHostKeyChecking=no -o BatchMode=yes -o LogLevel=ERROR -i /root/.ssh/id";
    const keys =
      "mkdir -p -m 700 /root/.ssh; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id; cp /root/.ssh/id.pub /root/.ssh/authorized_keys";

    const login = await pod.ssh(`${keys}; ssh ${flags} -p 22 root@127.0.0.1 id -u`);

    expect(login).toMatchObject({ stdout: "0\n", exitCode: 0 });
  });

  it("opens no raw socket, makes no device and mounts nothing", async () => {
    const attempts = [
      "mknod /tmp/null c 1 3",
      "mount -t tmpfs none /mnt",
      "unshare -Ur true",
      "ip link add x type dummy",
    ];

    const results = await Promise.all(attempts.map((attempt) => pod.ssh(`${attempt} 2>/dev/null`)));

    expect(results.map(({ exitCode }) => exitCode)).not.toContain(0);
  });
});
