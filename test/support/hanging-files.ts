/**
 * Makes a process that nothing can kill: it asks a file system that never answers. The file system exists inside one
 * container alone, so that nobody else on the machine can meet it. Disposing of it lets the process go.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const SERVER = join(import.meta.dirname, "hanging-files-server.ts");

export interface HangingFiles extends AsyncDisposable {
  /** On the container's side. */
  readonly folder: string;
  /** Resolves once a process asks, which nothing can kill from then on. */
  readonly asked: Promise<unknown>;
}

/** `initPid`: the container's main process, as the host counts. The container's image must have /bin/busybox. */
export async function hangFilesInside(initPid: number, folder: string): Promise<HangingFiles> {
  // It dies with the test, however that ends: nobody else could let the process go.
  const command = ["--pdeathsig", "KILL", process.execPath, SERVER, `${initPid}`, folder];
  const server = spawn("setpriv", command, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(server, "exit");
  await Promise.race([
    once(server.stdout, "data"),
    ended.then(() => {
      throw new Error("the hanging file system did not start");
    }),
  ]);
  return {
    folder,
    asked: once(server.stdout, "data"),
    [Symbol.asyncDispose]: async () => {
      server.kill("SIGKILL");
      await ended;
    },
  };
}
