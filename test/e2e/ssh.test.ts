/**
 * The promise of the pod kit, with real OpenSSH clients: everything that SSH does, on any image, without the image's help.
 */
import { createHash, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { writeAuthorizedKeys } from "../../executor/ssh/pod-files.ts";
import { busyboxImage, debianImage, nonRootImage, ownSshdImage } from "../support/images.ts";
import { startAgent, withForwards } from "../support/ssh-extras.ts";
import { runClient, sshAddInPod, SshPod } from "../support/ssh-pod.ts";

const MIB = 2 ** 20;
const BUSYBOX = "/.lium/k/bin/busybox";
const HOSTILE = ` it's "quoted" $(touch /tmp/evil) \`touch /tmp/evil\` \\ \t ünï ☃\nNEXT=line;\x01 \n`;
/** In hexadecimal, because a terminal changes what it shows. */
const SHOW_HOSTILE = `printf %s "$HOSTILE" | ${BUSYBOX} hexdump -v -e '/1 "%02x"'`;

interface Kind {
  readonly name: string;
  readonly image: () => Promise<string>;
  readonly readOnlyRoot?: boolean;
  readonly shell: string;
  readonly rsync?: boolean;
  /** What the image's own server says on port 22. */
  readonly port22?: RegExp;
}

const KINDS: readonly Kind[] = [
  { name: "an image with nothing but busybox", image: busyboxImage, shell: "/bin/sh" },
  { name: "Debian", image: debianImage, shell: "/bin/bash", rsync: true },
  {
    name: "an image with its own sshd",
    image: ownSshdImage,
    shell: "/bin/bash",
    rsync: true,
    port22: /^SSH-2.0-OpenSSH/,
  },
  { name: "an image whose USER is not root", image: nonRootImage, shell: "/bin/bash", rsync: true },
  { name: "a read-only root", image: debianImage, shell: "/bin/bash", rsync: true, readOnlyRoot: true },
];

describe.each(KINDS)("SSH on $name", ({ image, readOnlyRoot = false, shell, rsync, port22 }) => {
  let pod: SshPod;

  beforeAll(async () => {
    const env = { PLAIN: "a plain value" };
    pod = await SshPod.start({ image: await image(), readOnlyRoot, env, secretEnv: { HOSTILE } });
    await pod.untilReady();
  });

  afterAll(() => pod.dispose());

  it("runs a command as root, with its output, its errors and its exit status", async () => {
    const result = await pod.ssh("echo out; echo err >&2; id -u; exit 7");

    expect(result).toEqual({ stdout: "out\n0\n", stderr: "err\n", exitCode: 7 });
  });

  it("gives a terminal and the image's own shell to an interactive login", async () => {
    const lines = ['test -t 0 && echo "on a $TERM"', "tty", 'echo "in $SHELL at $PWD"', "exit 5"];

    const { stdout, exitCode } = await pod.typeInto(lines);

    expect(stdout).toMatch(/^on a \w+/m);
    expect(stdout).toMatch(/^\/dev\/pts\/\d+\r$/m);
    expect(stdout).toContain(`in ${shell} at /root`);
    expect(exitCode).toBe(5);
  });

  it("shows the pod's environment to exec, non-login and login sessions, and evaluates none of it", async () => {
    const exec = await pod.ssh(SHOW_HOSTILE);
    const nonLogin = await pod.ssh(`${shell} -c ${quoted(SHOW_HOSTILE)}`);
    const login = await pod.ssh(`${shell} -l -c ${quoted(SHOW_HOSTILE)}`);
    const interactive = await pod.typeInto([SHOW_HOSTILE, "exit"]);
    const rest = await pod.ssh('echo "$PLAIN, $HOME, ${SSH_CONNECTION:+connected}"; test ! -e /tmp/evil');

    const shown = [exec, nonLogin, login].map(({ stdout }) => Buffer.from(stdout, "hex").toString());
    expect(shown).toEqual([HOSTILE, HOSTILE, HOSTILE]);
    expect(interactive.stdout.replace(/\s/g, "")).toContain(Buffer.from(HOSTILE).toString("hex"));
    expect(rest).toMatchObject({ stdout: "a plain value, /root, connected\n", exitCode: 0 });
  });

  it("keeps the pod's environment out of the SSH server, which has no use for its secrets", async () => {
    const { stdout } = await pod.ssh(`${BUSYBOX} wc -c </proc/$PPID/environ`);

    expect(stdout.trim()).toBe("0");
  });

  it.each([
    { protocol: "SFTP", options: [] },
    { protocol: "the older protocol", options: ["-O"] },
  ])("copies 5 MiB each way with scp over $protocol", async ({ options }) => {
    const bytes = await randomFile(pod, "up.bin", 5 * MIB);

    const up = await pod.copy("scp", [...options, pod.path("up.bin"), "pod:/tmp/up.bin"]);
    const there = await pod.ssh(`${BUSYBOX} sha256sum /tmp/up.bin`);
    const down = await pod.copy("scp", [...options, "pod:/tmp/up.bin", pod.path("down.bin")]);

    expect([up, down]).toMatchObject([{ exitCode: 0 }, { exitCode: 0 }]);
    expect(there.stdout).toContain(sha256(bytes));
    expect(sha256(await readFile(pod.path("down.bin")))).toBe(sha256(bytes));
  });

  it("lists, writes and reads with sftp", async () => {
    const bytes = await randomFile(pod, "sftp.bin", 4096);
    const batch = [
      `put ${pod.path("sftp.bin")} /tmp/sftp.bin`,
      "ls -l /tmp",
      `get /tmp/sftp.bin ${pod.path("got.bin")}`,
    ];

    const result = await pod.copy("sftp", ["-b", "-", "root@127.0.0.1"], `${batch.join("\n")}\n`);

    expect(result).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("sftp.bin") as string });
    expect(await readFile(pod.path("got.bin"))).toEqual(bytes);
  });

  it.runIf(rsync)("copies with rsync", async () => {
    const bytes = await randomFile(pod, "rsync.bin", MIB);

    const up = await pod.copy("rsync", [pod.path("rsync.bin"), "pod:/tmp/rsync.bin"]);
    const down = await pod.copy("rsync", ["pod:/tmp/rsync.bin", pod.path("rsynced.bin")]);

    expect([up, down]).toMatchObject([{ exitCode: 0 }, { exitCode: 0 }]);
    expect(await readFile(pod.path("rsynced.bin"))).toEqual(bytes);
  });

  it("carries bytes through -L, -D and -R", async () => {
    const bytes = randomBytes(300_000);

    const echoed = await withForwards(pod, async ({ local, socks, remotePort }) => ({
      local: await local(bytes),
      socks: await socks(bytes),
      remote: await pod.ssh(`echo from the pod | ${BUSYBOX} nc 127.0.0.1 ${remotePort}`),
    }));

    expect(sha256(echoed.local)).toBe(sha256(bytes));
    expect(sha256(echoed.socks)).toBe(sha256(bytes));
    expect(echoed.remote.stdout).toBe("from the pod\n");
  });

  it("forwards the agent, and only when asked", async () => {
    const agent = await startAgent(pod);
    const list = `echo "$SSH_AUTH_SOCK"; ${await sshAddInPod(pod.dirs.kitDir)} -l`;
    try {
      const env = { SSH_AUTH_SOCK: agent.socket, PATH: process.env["PATH"] ?? "" };
      const args = [...pod.options("ssh"), "root@127.0.0.1", list];

      const asked = await runClient("ssh", ["-A", ...args], { env });
      const notAsked = await runClient("ssh", ["-a", ...args], { env });

      expect(asked).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(agent.fingerprint) as string });
      // Not in /tmp, which an image may lack or keep read-only.
      expect(asked.stdout).toMatch(/^\/\.lium\/run\//);
      expect(notAsked.exitCode).toBe(2);
    } finally {
      await agent.stop();
    }
  });

  it("refuses a removed key at the next login, and lets the others in", async () => {
    const before = await pod.ssh("true", { key: 1 });
    await writeAuthorizedKeys(pod.dirs.podDir, pod.publicKeys.slice(0, 1));
    const after = await pod.ssh("true", { key: 1 });
    const other = await pod.ssh("true");
    await writeAuthorizedKeys(pod.dirs.podDir, pod.publicKeys);
    const again = await pod.ssh("true", { key: 1 });

    expect([before, after, other, again].map(({ exitCode }) => exitCode)).toEqual([0, 255, 0, 0]);
    expect(after.stderr).toContain("Permission denied");
  });

  it("asks for no password, and knows no user but root", async () => {
    const options = ["-o", "PreferredAuthentications=password,keyboard-interactive"];

    const password = await pod.ssh("true", { options });
    const stranger = await pod.ssh("true", { options: ["-l", "daemon"] });

    expect(password).toMatchObject({ exitCode: 255, stderr: expect.stringContaining("(publickey)") as string });
    expect(stranger).toMatchObject({ exitCode: 255, stderr: expect.stringContaining("Permission denied") as string });
  });

  it("leaves port 22 to the image", async () => {
    const { stdout } = await pod.ssh(`${BUSYBOX} nc -w 1 127.0.0.1 22 </dev/null`);

    expect(stdout).toMatch(port22 ?? /^$/);
  });
});

async function randomFile(pod: SshPod, name: string, bytes: number): Promise<Buffer> {
  const content = randomBytes(bytes);
  await writeFile(pod.path(name), content);
  return content;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
