/**
 * A worker process that does as it is told: answers, refuses, tells, hangs with its loop blocked, or crashes.
 */
import { serveRequests } from "../../../executor/gpus/children/serve.ts";

const tell = serveRequests(async (body) => {
  switch (body) {
    case "refuse":
      throw new Error("I will not.");
    case "tell":
      return tell("unasked");
    case "hang":
      for (;;);
    case "crash":
      return process.kill(process.pid, "SIGSEGV");
    case "never":
      return new Promise(() => undefined);
    default:
      return body;
  }
});
