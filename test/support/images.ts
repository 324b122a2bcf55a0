/**
 * The images that end-to-end tests start pods from, built on this machine without a registry; what is there is kept.
 * All carry the label `lium.test=1`.
 */
import { copyFile, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import Docker from "dockerode";

import { buildDebianImage } from "../../installer/pod-image.ts";

export const TEST_LABEL = { "lium.test": "1" };
export const NONROOT_USER = { name: "app", uid: 1000, home: "/home/app", extraGroup: 100 };

const MMDEBSTRAP_MS = 300_000;

/** Nothing but Debian's static busybox, and /bin/sh as a link to it: no accounts, no /tmp, no C library. */
export function busyboxImage(): Promise<string> {
  return once("lium-test/busybox", (tag) =>
    buildImage(tag, ["FROM scratch", "COPY bin /bin", 'CMD ["/bin/sh"]'], async (folder) => {
      await mkdir(join(folder, "bin"));
      await copyFile("/bin/busybox", join(folder, "bin/busybox"));
      await symlink("busybox", join(folder, "bin/sh"));
    }),
  );
}

/** A small Debian of this machine's release, with rsync and OpenSSH, whose default command ends at once. */
export function debianImage(): Promise<string> {
  return once("lium-test/debian", async (tag) => {
    const base = await once("lium-test/debian-base", importDebian);
    await buildImage(tag, [`FROM ${base}`, 'CMD ["bash"]']);
  });
}

/** Debian that runs its own SSH server on port 22. */
export async function ownSshdImage(): Promise<string> {
  const base = await debianImage();
  const command = ["sh", "-c", "mkdir -p /run/sshd && exec /usr/sbin/sshd -D -e"];
  return once("lium-test/own-sshd", (tag) => buildImage(tag, [`FROM ${base}`, `CMD ${JSON.stringify(command)}`]));
}

/** Debian whose USER is not root, and which adds a folder to PATH. */
export async function nonRootImage(): Promise<string> {
  const base = await debianImage();
  const { name, uid, home, extraGroup } = NONROOT_USER;
  return once("lium-test/nonroot", (tag) =>
    buildImage(tag, [
      `FROM ${base}`,
      `RUN useradd --create-home --home-dir ${home} --uid ${uid} --groups ${extraGroup} ${name}`,
      "ENV PATH=/opt/tool/bin:$PATH",
      `USER ${name}`,
      'CMD ["sleep", "infinity"]',
    ]),
  );
}

interface Hostile {
  readonly name: string;
  readonly line: string;
  readonly links: Readonly<Record<string, string>>;
}

/** Images whose very settings or files are an attempt to reach a file of the host, by the name of the attempt. */
export async function hostileImages(hostFile: string): Promise<Record<string, string>> {
  const base = await busyboxImage();
  const up = "../".repeat(12);
  // CVE-2024-21626: a folder of the host that the runtime left open.
  const workdirs: Hostile[] = [7, 8, 9].map((file) => ({
    name: `workdir-${file}`,
    line: `WORKDIR /proc/self/fd/${file}`,
    links: {},
  }));
  // Where the kit and the pod's names are mounted, links lead out.
  const links: Hostile[] = [
    { name: "kit-link", line: "COPY root /", links: { "root/.lium": join(up, dirname(hostFile)) } },
    { name: "names-link", line: "COPY root /", links: { "root/etc/hosts": join(up, hostFile) } },
  ];
  const built: Record<string, string> = {};
  for (const { name, line, links: files } of [...workdirs, ...links]) {
    const tag = `lium-test/hostile-${name}`;
    await buildImage(tag, [`FROM ${base}`, line], async (folder) => {
      for (const [path, target] of Object.entries(files)) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await symlink(target, join(folder, path));
      }
    });
    built[name] = tag;
  }
  return built;
}

/** Builds a tag unless it exists; its layers are shared with whoever builds the same at the same time. */
async function once(tag: string, build: (tag: string) => Promise<void>): Promise<string> {
  const exists = await new Docker()
    .getImage(tag)
    .inspect()
    .then(
      () => true,
      (error: { statusCode?: number }) => {
        if (error.statusCode === 404) return false;
        throw error;
      },
    );
  if (!exists) await build(tag);
  return tag;
}

async function buildImage(
  tag: string,
  dockerfile: readonly string[],
  fill: (folder: string) => Promise<void> = async () => undefined,
): Promise<void> {
  await inFolder(async (folder) => {
    await fill(folder);
    await writeFile(join(folder, "Dockerfile"), `${dockerfile.join("\n")}\n`);
    const docker = new Docker();
    const context = { context: folder, src: await readdir(folder) };
    await finished(docker, await docker.buildImage(context, { t: tag, labels: TEST_LABEL, forcerm: true }));
  });
}

async function importDebian(tag: string): Promise<void> {
  const image = { tag, packages: ["openssh-server", "rsync"], changes: ['LABEL "lium.test"="1"'] };
  await buildDebianImage(image, { say: () => undefined, signal: AbortSignal.timeout(MMDEBSTRAP_MS) });
}

async function finished(docker: Docker, progress: NodeJS.ReadableStream): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(progress, (error: Error | null, messages: { error?: string }[]) => {
      const failed = error ?? messages.find((message) => message.error !== undefined)?.error;
      if (failed) reject(new Error(String(failed)));
      else resolve();
    });
  });
}

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "lium-image-"));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
