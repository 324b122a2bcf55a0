/**
 * The process that calls node-nvidia-smi: the package has no time limit, throws where nobody can catch for an empty output,
 * and takes one line on stderr for a failure. Whatever it does, this process is killed in time.
 */
import smi from "node-nvidia-smi";

import { serveRequests } from "../../children/serve.ts";

serveRequests(
  () =>
    new Promise((resolve, reject) => {
      smi((error, data) => {
        if (error === null || error === undefined) resolve(data);
        else reject(error instanceof Error ? error : new Error(typeof error === "string" ? error : "It failed."));
      });
    }),
);
