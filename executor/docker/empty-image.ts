/**
 * An image with nothing in it, for containers of ours that bring all that they need by a mount. Made on the spot, so that
 * no registry and no renter's image is needed.
 */
import { Readable } from "node:stream";

import Dockerode from "dockerode";

import { bounded, orUndefined, WRITE_DEADLINE_MS } from "./call.ts";

const NAME = "lium/empty";
const TAG = "1";
/** Two blocks of zeros are an archive without files. */
const EMPTY_TAR = Buffer.alloc(1024);

/** A function that makes sure that the image is there, and resolves with its name. */
export function createEmptyImage(options: { readonly socketPath: string }): (signal: AbortSignal) => Promise<string> {
  const docker = new Dockerode({ socketPath: options.socketPath });
  const name = `${NAME}:${TAG}`;
  return (signal) =>
    bounded("import image", WRITE_DEADLINE_MS, signal, async () => {
      if ((await orUndefined(docker.getImage(name).inspect())) !== undefined) return name;
      const progress = await docker.importImage(Readable.from([EMPTY_TAR]), { repo: NAME, tag: TAG });
      await new Promise<void>((resolve, reject) => {
        docker.modem.followProgress(progress, (error) => (error ? reject(error) : resolve()));
      });
      return name;
    });
}
