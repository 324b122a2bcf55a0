/**
 * The child's side of a worker process: answers its parent's requests, and ends with its parent.
 */
import { WorkerRequest } from "./messages.ts";

/** Answers with what `handle` resolves to. Gives the function that tells the parent what it did not ask. */
export function serveRequests(handle: (body: unknown) => Promise<unknown>): (event: unknown) => void {
  const say = (message: object): void => {
    if (process.connected) process.send?.(message);
  };
  process.on("message", (message) => {
    const { id, body } = WorkerRequest.parse(message);
    handle(body).then(
      (value) => say({ id, value: value ?? null }),
      (error: unknown) => say({ id, error: error instanceof Error ? error.message : String(error) }),
    );
  });
  process.on("disconnect", () => process.exit(0));
  return (event) => say({ event });
}
