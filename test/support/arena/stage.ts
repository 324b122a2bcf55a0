/**
 * The inside of an arena: this program runs in namespaces of its own (arena.ts), opens one scene, and plays the faults
 * that it is told to. When nobody listens any more it ends, and the kernel ends everything that it started.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { exec } from "../../../common/exec.ts";
import { FAULTS } from "../../chaos/faults.ts";
import type { FromStage, ToStage } from "./messages.ts";
import { seededRandom } from "./random.ts";
import { Scene } from "./scene.ts";

/** A folder that every Linux has; what is mounted there is seen by this stage alone. */
const MEMORY = "/mnt";
const COMMAND_MS = 10_000;

async function open(name: string): Promise<Scene> {
  const limits = { signal: AbortSignal.timeout(COMMAND_MS), timeoutMs: COMMAND_MS };
  await exec("mount", ["-t", "tmpfs", "-o", "size=12g,mode=700", "arena", MEMORY], limits);
  await exec("ip", ["link", "set", "lo", "up"], limits);
  const root = join(MEMORY, name);
  mkdirSync(root);
  return Scene.open({ root, cgroup: name });
}

async function play(scene: Scene, { run, seed, limitMs }: ToStage): Promise<void> {
  const fault = FAULTS.find(({ name }) => name === run);
  if (fault === undefined) throw new Error(`there is no fault "${run}"`);
  const late = AbortSignal.timeout(limitMs);
  const timeUp = Promise.withResolvers<never>();
  late.addEventListener("abort", () => timeUp.reject(new Error(`it was not over within ${limitMs} ms`)));
  const whole = async (): Promise<void> => {
    await scene.begin(seededRandom(seed, run));
    await fault.run(scene);
    await scene.finish(fault);
  };
  await Promise.race([whole(), timeUp.promise]);
}

function answer(message: FromStage): void {
  process.send?.(message);
}

const [, , name = ""] = process.argv;
process.once("disconnect", () => process.exit());
const scene = await open(name);
process.on("message", (message: ToStage) => {
  play(scene, message).then(
    () => answer({ done: message.run }),
    (error: unknown) => {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      answer({ done: message.run, failure: `${reason}\n${scene.lastWords()}` });
    },
  );
});
answer({ ready: true });
