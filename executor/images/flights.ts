/**
 * One pull for all who wait for the same image with the same credentials; everybody sees its progress. Who leaves does not
 * stop the others, and with the last one the pull ends. Credentials that differ never share a pull, because each has to be
 * shown to the registry; the engine itself fetches no layer twice.
 */
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/logger.ts";
import { toAppError } from "../../protocol/errors.ts";
import type { EngineProgress, ImageStore, RegistryAuth } from "../docker/image-store.ts";
import type { ImageNotes } from "./notes.ts";
import { createRateMeter, type PullProgress } from "./progress.ts";
import { retryInMs } from "./retry.ts";

export interface Destination {
  /** The name that the engine knows. */
  readonly name: string;
  readonly auth: RegistryAuth | undefined;
  /** The same for those who show the same credentials. */
  readonly mark: string;
}

export interface Passenger {
  /** A renter waits for it: work in the background makes way. */
  readonly rental: boolean;
  readonly onProgress: (progress: PullProgress) => void;
  readonly signal: AbortSignal;
}

export interface FlightsDeps {
  readonly store: Pick<ImageStore, "pull">;
  readonly notes: Pick<ImageNotes, "beginPull" | "endPulls">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
}

interface Flight {
  readonly destination: Destination;
  readonly passengers: Set<Passenger>;
  readonly abort: AbortController;
  progress: PullProgress | undefined;
}

export class Flights {
  readonly #inactivityMs: number;
  readonly #deps: FlightsDeps;
  readonly #flights = new Map<string, Flight & { readonly landed: Promise<void> }>();
  readonly #listeners = new Set<() => void>();

  constructor(options: { readonly inactivityMs: number }, deps: FlightsDeps) {
    this.#inactivityMs = options.inactivityMs;
    this.#deps = deps;
  }

  /** Resolves when the image is here. Rejects as ImageStore.pull does, after retries; with the signal's reason at once. */
  async join(destination: Destination, passenger: Passenger): Promise<void> {
    const { signal, onProgress } = passenger;
    signal.throwIfAborted();
    const flight = this.#flightTo(destination);
    flight.passengers.add(passenger);
    this.#tell();
    if (flight.progress !== undefined) onProgress(flight.progress);
    try {
      await unlessAborted(flight.landed, signal);
    } finally {
      flight.passengers.delete(passenger);
      if (flight.passengers.size === 0) this.#end(flight);
      this.#tell();
    }
  }

  /** What is being pulled now. */
  get under(): readonly { readonly name: string; readonly rental: boolean; readonly progress?: PullProgress }[] {
    return [...this.#flights.values()].map(({ destination, passengers, progress }) => ({
      name: destination.name,
      rental: [...passengers].some(({ rental }) => rental),
      ...(progress === undefined ? {} : { progress }),
    }));
  }

  /** Tells when somebody came or left. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #flightTo(destination: Destination) {
    const key = keyOf(destination);
    const under = this.#flights.get(key);
    if (under !== undefined) return under;
    const passengers = new Set<Passenger>();
    const flight: Flight = { destination, passengers, abort: new AbortController(), progress: undefined };
    const landed = this.#fly(flight);
    landed.catch(() => undefined);
    const started = Object.assign(flight, { landed });
    this.#flights.set(key, started);
    return started;
  }

  /** Whoever comes next starts a new one. */
  #end(flight: Flight): void {
    flight.abort.abort();
    const key = keyOf(flight.destination);
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }

  async #fly(flight: Flight): Promise<void> {
    const { clock, log, random } = this.#deps;
    const { destination, abort } = flight;
    const meter = createRateMeter();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#pull(flight, meter);
      } catch (thrown) {
        abort.signal.throwIfAborted();
        const error = toAppError(thrown);
        const waitMs = retryInMs(error, attempt, random);
        if (waitMs === undefined) throw error;
        log.warn("a pull failed and will be tried again", { image: destination.name, attempt, waitMs, error });
        await clock.sleep(waitMs, abort.signal);
      }
    }
  }

  /** An engine that says how a pull ended leaves nothing of it behind. */
  async #pull(flight: Flight, meter: ReturnType<typeof createRateMeter>): Promise<void> {
    const { store, clock, notes } = this.#deps;
    const { name, auth } = flight.destination;
    const { signal } = flight.abort;
    const onProgress = (sum: EngineProgress): void => {
      flight.progress = meter(sum, clock.monotonic());
      for (const passenger of flight.passengers) passenger.onProgress(flight.progress);
    };
    notes.beginPull(name);
    try {
      await store.pull(name, { auth, inactivityMs: this.#inactivityMs, signal, onProgress });
    } catch (error) {
      if (toAppError(error).code !== "engine-unavailable") notes.endPulls([name]);
      throw error;
    }
    notes.endPulls([name]);
  }
}

function keyOf({ name, mark }: Destination): string {
  return `${name} ${mark}`;
}

async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
