/**
 * How long a renter waits, against what Docker itself takes. In one run, interleaved, with the image there:
 *   floor    create + start of the same image with the same host config over the Docker API
 *   running  from sending the signed request until the agent says running, the SSH probe included
 *   ssh      from sending the signed request until OpenSSH's `ssh host true` has returned
 */
import { statSync } from "node:fs";

import Dockerode from "dockerode";

import { debianImage } from "../support/images.ts";
import { startLive, type Live } from "../support/live.ts";
import { percentiles, type Percentiles } from "./percentiles.ts";

const SAMPLES = 24;
const WARM_UP = 2;

export interface PodStartResult {
  readonly samples: number;
  readonly floor: Percentiles;
  readonly running: Percentiles;
  readonly ssh: Percentiles;
  readonly ratios: { readonly running: number; readonly ssh: number };
}

export async function measurePodStart(): Promise<PodStartResult> {
  const debian = await debianImage();
  await using live = await startLive({ built: true });
  const docker = new Dockerode();
  const times = { floor: [0], running: [0], ssh: [0] };
  for (const list of Object.values(times)) list.pop();
  for (let round = 0; round < WARM_UP + SAMPLES; round += 1) {
    const { runningMs, sshMs, template } = await rentOnce(live, debian, docker);
    const floorMs = await floorOnce(docker, template);
    if (round < WARM_UP) continue;
    times.floor.push(floorMs);
    times.running.push(runningMs);
    times.ssh.push(sshMs);
  }
  const [floor, running, ssh] = [percentiles(times.floor), percentiles(times.running), percentiles(times.ssh)];
  const ratios = { running: ratio(running.p50Ms, floor.p50Ms), ssh: ratio(ssh.p50Ms, floor.p50Ms) };
  return { samples: SAMPLES, floor, running, ssh, ratios };
}

async function rentOnce(live: Live, image: string, docker: Dockerode) {
  const began = performance.now();
  const view = await live.rent({ image, gpus: { count: 1 }, cpus: 1 });
  const runningMs = performance.now() - began;
  const { exitCode, stderr } = await live.ssh(view, "true");
  const sshMs = performance.now() - began;
  if (exitCode !== 0) throw new Error(`ssh failed: ${stderr}`);
  const template = await docker.getContainer(`lium-${view.podId}`).inspect();
  template.HostConfig.Mounts = lasting(template.HostConfig.Mounts ?? [], live.keyFile);
  await live.terminate(view.podId);
  return { runningMs, sshMs, template };
}

/** The pod's files go with it: in the floor's mounts the kit stands for every folder, and the renter's key for every file. */
function lasting(mounts: Dockerode.MountSettings[], keyFile: string): Dockerode.MountSettings[] {
  const kit = mounts[0]?.Source ?? "";
  return mounts.map((mount) => ({ ...mount, Source: statSync(mount.Source).isFile() ? keyFile : kit }));
}

/** The same container as the pod's, made by hand. */
async function floorOnce(docker: Dockerode, pod: Dockerode.ContainerInspectInfo): Promise<number> {
  const { Env, Entrypoint, Cmd, ExposedPorts, Labels } = pod.Config;
  const began = performance.now();
  const container = await docker.createContainer({
    Image: pod.Image,
    Env,
    Cmd,
    ...(Entrypoint === undefined ? {} : { Entrypoint }),
    ...(ExposedPorts === undefined ? {} : { ExposedPorts }),
    Labels: Object.fromEntries(Object.entries(Labels).map(([name, value]) => [`floor.${name}`, value])),
    HostConfig: pod.HostConfig,
  });
  await container.start();
  const took = performance.now() - began;
  await container.remove({ force: true, v: true });
  return took;
}

function ratio(value: number, base: number): number {
  return Math.round((value / base) * 1000) / 1000;
}
