/**
 * What the kit's init does with a pod's own command: it must run as Docker itself would have run it, beside SSH.
 */
import { rm, writeFile } from "node:fs/promises";

import Docker from "dockerode";
import { afterEach, describe, expect, it } from "vitest";

import { busyboxImage, debianImage, nonRootImage, TEST_LABEL } from "../support/images.ts";
import { hardened, type PodInput, runClient, SshPod } from "../support/ssh-pod.ts";

const WHO = ["sh", "-c", 'id -u; id -g; id -G; echo "$HOME"; pwd; grep -E "^(Cap|NoNew)" /proc/self/status'];
const ENVIRONMENT = ["env", "-0"];
/** Before 1.31, busybox cannot read up to a NUL. */
const OLD_BUSYBOX = (await runClient("busybox", ["sh", "-c", "read -r -d '' x </dev/null"])).exitCode === 2;
/** Ends with 9 at SIGINT, and shows when it is ready for that. */
const INTERRUPTIBLE = ["sh", "-c", "trap 'exit 9' INT; echo ready; while :; do sleep 0.05; done"];

describe("a pod's own command", () => {
  const containers: { dispose(): Promise<unknown> }[] = [];
  const only = { stdout: true, stderr: false };

  afterEach(async () => {
    await Promise.all(containers.splice(0).map((container) => container.dispose()));
  });

  async function start(input: PodInput): Promise<SshPod> {
    const pod = await SshPod.start(input);
    containers.push(pod);
    return pod;
  }

  async function output(input: PodInput): Promise<string> {
    const pod = await start({ ...input, main: { stay: false, ...input.main } });
    await pod.untilExit();
    return pod.logs(only);
  }

  async function outputUnderDocker(Image: string, User: string, Cmd: string[], Env: string[] = []): Promise<string> {
    const container = await new Docker().createContainer({
      Image,
      User,
      Cmd,
      Env,
      Labels: TEST_LABEL,
      HostConfig: hardened(),
    });
    containers.push({ dispose: () => container.remove({ force: true }) });
    await container.start();
    await container.wait();
    return SshPod.textOf(await container.logs({ ...only, follow: false }));
  }

  it.each(["", "root", "0:100", "app", "1000", "app:users", "app:100", "1234", "1234:5", "daemon", "33:www-data"])(
    "runs as USER '%s' exactly as Docker runs it: ids, groups, home, folder and capabilities",
    async (user) => {
      const image = await nonRootImage();

      const ours = await output({ image, main: { argv: WHO, user } });

      // Docker takes an empty user as the image's own, which here is another one.
      expect(ours).toBe(await outputUnderDocker(image, user === "" ? "root" : user, WHO));
    },
  );

  it("gets the environment that Docker gives, with the secrets on top", async () => {
    const image = await nonRootImage();
    const env = { SPACE: " x\n", EMPTY: "", LD_PRELOAD: "/opt/none.so" };
    const secretEnv = { SECRET: `'"$(id)\`\n `, SPACE: "wins" };

    const ours = await output({ image, main: { argv: ENVIRONMENT, user: "app" }, env, secretEnv });

    const list = Object.entries({ ...env, ...secretEnv }).map(([name, value]) => `${name}=${value}`);
    const docker = await outputUnderDocker(image, "app", ENVIRONMENT, list);
    expect(variables(ours)).toEqual(variables(docker));
  });

  it.skipIf(OLD_BUSYBOX)("gets variables too whose names no shell can hold", async () => {
    const env = { "a.b": "dotted", "BASH_FUNC_f%%": "() { :; }", "0": " \n" };

    const ours = await output({ image: await debianImage(), main: { argv: ENVIRONMENT }, env });

    expect(variables(ours)).toEqual(expect.arrayContaining(["0= \n", "BASH_FUNC_f%%=() { :; }", "a.b=dotted"]));
  });

  it("is looked up in the image's PATH alone", async () => {
    expect(await output({ image: await debianImage(), main: { argv: ["ls", "--version"] } })).toContain(
      "GNU coreutils",
    );
  });

  it("ends the pod with its own status", async () => {
    const pod = await start({ image: await debianImage(), main: { argv: ["sh", "-c", "exit 42"], stay: false } });

    expect(await pod.untilExit()).toBe(42);
  });

  it.each([
    { what: "is not there", argv: ["/no/such/program"], status: 127 },
    { what: "cannot be run", argv: ["/etc/passwd"], status: 126 },
  ])("ends the pod with $status when it $what", async ({ argv, status }) => {
    const pod = await start({ image: await debianImage(), main: { argv, stay: false } });

    expect(await pod.untilExit()).toBe(status);
  });

  it("leaves the pod up for SSH after an image's default command has ended, until the pod is stopped", async () => {
    const pod = await start({ image: await debianImage() });
    await pod.untilReady();
    const { stdout } = await pod.ssh("echo still here");
    await pod.container.stop({ t: 30 });

    expect(stdout).toBe("still here\n");
    expect(await pod.logs()).toContain("ended with status 0; the pod stays up for SSH");
    expect(await pod.untilExit()).toBe(143);
  });

  it("may be missing: the pod is there for SSH", async () => {
    const pod = await start({ image: await busyboxImage(), main: { argv: [] } });
    await pod.untilReady();
    await pod.container.stop({ t: 30 });

    expect(await pod.untilExit()).toBe(143);
  });

  it.each([
    { what: "an image's default command", stay: true },
    { what: "a command of the pod's own", stay: false },
  ])("hears the stop signal, also SIGINT: $what", async ({ stay }) => {
    const pod = await start({ image: await debianImage(), main: { argv: INTERRUPTIBLE, stay } });
    await untilLogged(pod, "ready");
    await pod.container.kill({ signal: "SIGINT" });

    expect(await pod.untilExit()).toBe(9);
  });

  it("does not run as a user that the image does not know", async () => {
    const pod = await start({ image: await debianImage(), main: { argv: ["true"], user: "nobody-here", stay: false } });

    expect(await pod.untilExit()).toBe(71);
    expect(await pod.logs()).toContain("no user or group 'nobody-here'");
  });

  it.each(["missing", "damaged"])("does not run when the host key is %s, for nobody could log in", async (what) => {
    const pod = await start({ image: await debianImage(), main: { argv: [] } });
    await pod.container.kill();
    const path = `${pod.dirs.podDir}/host_ed25519`;
    await (what === "missing" ? rm(path) : writeFile(path, "no key"));
    await pod.container.start();

    expect(await pod.untilExit()).toBe(70);
    expect(await pod.logs()).toContain("SSH did not start");
  });
});

function variables(text: string): string[] {
  return text
    .split("\0")
    .filter((entry) => entry !== "" && !entry.startsWith("HOSTNAME="))
    .toSorted();
}

async function untilLogged(pod: SshPod, text: string): Promise<void> {
  const deadline = AbortSignal.timeout(10_000);
  while (!(await pod.logs()).includes(text)) deadline.throwIfAborted();
}
