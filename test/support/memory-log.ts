/**
 * A log that a test can read.
 */
import { createLogger } from "../../common/logger.ts";

export function loggerToMemory() {
  const logged: string[] = [];
  const log = createLogger({ name: "test", level: "debug", output: { write: (line) => logged.push(line) } });
  return { log, logged };
}
