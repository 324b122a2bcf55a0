/**
 * Threads that call the library: one, and another for as long as a device holds one. A thread that comes back serves again.
 */
import { extname } from "node:path";
import { Worker } from "node:worker_threads";

import { WorkerMessage } from "../../children/messages.ts";
import type { CallerRequest } from "./words.ts";

interface Caller {
  readonly worker: Worker;
  readonly waiting: Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>;
}

export class Callers {
  readonly #libraries: readonly string[];
  readonly #tell: (event: unknown) => void;
  readonly #idle: Caller[] = [];
  #made = 0;
  #lastId = 0;

  constructor(libraries: readonly string[], tell: (event: unknown) => void) {
    this.#libraries = libraries;
    this.#tell = tell;
  }

  /** What the first thread said when it opened the library. */
  async open(): Promise<unknown> {
    const caller = this.#start();
    const opened = await this.#ask(caller, { do: "open", libraries: [...this.#libraries], events: true });
    this.#idle.push(caller);
    return opened;
  }

  /** Asks with a thread that is free; only then is it given back. */
  async ask(request: CallerRequest): Promise<unknown> {
    const caller = this.#idle.pop() ?? (await this.#another());
    return this.#ask(caller, request).finally(() => this.#idle.push(caller));
  }

  async #another(): Promise<Caller> {
    const caller = this.#start();
    await this.#ask(caller, { do: "open", libraries: [...this.#libraries], events: false });
    return caller;
  }

  #start(): Caller {
    this.#made += 1;
    const worker = new Worker(new URL(`./caller${extname(import.meta.url)}`, import.meta.url), {
      name: `nvml-${this.#made}`,
      resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 },
    });
    const caller: Caller = { worker, waiting: new Map() };
    worker.on("message", (message) => this.#hear(caller, message));
    worker.on("error", (error) => {
      for (const { reject } of caller.waiting.values()) reject(error);
      caller.waiting.clear();
    });
    return caller;
  }

  #ask({ worker, waiting }: Caller, body: CallerRequest): Promise<unknown> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, body });
    });
  }

  #hear({ waiting }: Caller, message: unknown): void {
    const said = WorkerMessage.parse(message);
    if ("event" in said) return this.#tell(said.event);
    const asked = waiting.get(said.id);
    waiting.delete(said.id);
    if ("error" in said) asked?.reject(new Error(said.error));
    else asked?.resolve(said.value);
  }
}
