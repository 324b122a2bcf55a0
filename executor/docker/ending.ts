/**
 * The port to what an engine can do for the end of a container. It leans on no call that a wedged container can block.
 *
 * Seen with Docker 26.1.5 and a stopped containerd-shim: `list` answers at once, also about that container, and so do all
 * calls about others; `inspect` answers until the first `stop`, `kill`, `pause` or `rm -f`, which never come back and hold
 * the container's lock, so that `inspect`, `start`, `wait` and every later one of them hang too; `top`, `stats` and `exec`
 * hang always. All of them come back within a second once init and shim are killed.
 * A container whose shim died while a process of it cannot die reads as `exited`, and `rm` removes it: the engine's word that
 * a container is gone does not mean that nothing of it lives. A containerd that starts gives up on a stopped shim after 5 s,
 * and dockerd, which waits just as long for a containerd of its own, then fails to start, once.
 */
import type { HostPort } from "../host/processes/host-processes.ts";
import type { ContainerState } from "./runtime.ts";

export interface FoundContainer {
  readonly id: string;
  readonly state: ContainerState;
}

/** A port that a container publishes now. */
export interface PublishedHostPort extends HostPort {
  readonly containerName: string;
}

/** `withinMs`: the call ends by then, with `engine-unavailable` if the engine has not answered; it may still do it. */
export interface Within {
  readonly withinMs: number;
}

/** Every verb succeeds where there is nothing (left) to do. Every call may reject with `engine-unavailable` or `engine-error`. */
export interface EndingEngine {
  /** From the engine's list, never by inspecting. The list may be a moment behind what the engine has done. */
  find(name: string, signal: AbortSignal): Promise<FoundContainer | undefined>;
  /** What the engine publishes for containers that run. */
  publishedPorts(signal: AbortSignal): Promise<PublishedHostPort[]>;
  /** Asks the main process to end, and kills it after `graceSeconds`. */
  stop(id: string, how: Within & { readonly graceSeconds: number }, signal: AbortSignal): Promise<void>;
  /** Sends SIGKILL through the engine. */
  kill(id: string, how: Within, signal: AbortSignal): Promise<void>;
  /** Removes the container and its anonymous volumes. A removal that is under way already is success: look again. */
  remove(id: string, how: Within, signal: AbortSignal): Promise<void>;
}
