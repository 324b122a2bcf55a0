/**
 * The port to the processes of this host: those of one container, found and killed without asking any engine, and who
 * holds a port. Nothing is touched that is not provably of the container that is named.
 */

/** One living process. Its pid alone names nobody: pids are given out again. */
export interface HostProcess {
  readonly pid: number;
  /** When it began, in clock ticks since boot. */
  readonly startTicks: number;
  readonly command: string;
  /** One letter as in `ps`; the worst of its threads. D: it hears no signal, not even SIGKILL, until the kernel lets go. */
  readonly state: string;
  /** The kernel's function that it waits in; empty where the kernel does not tell. */
  readonly waitsIn: string;
}

export interface ContainerProcesses {
  /** Whatever lives in the container's control group. */
  readonly members: readonly HostProcess[];
  /** The process of the engine that keeps the container. */
  readonly shims: readonly HostProcess[];
}

export interface HostPort {
  readonly hostPort: number;
  readonly protocol: "tcp" | "udp";
}

/** Somebody listens on a port of this host. */
export interface PortHolder extends HostPort {
  /** Undefined where no process shows the socket: the kernel holds it, or its process hides. */
  readonly pid: number | undefined;
  readonly command: string;
}

export interface HostProcesses {
  /** What lives of a container, by its whole id. Dead processes that nobody has buried yet do not count. */
  ofContainer(containerId: string, signal: AbortSignal): Promise<ContainerProcesses>;
  /** Sends SIGKILL to each that is still the same process and still of that container. Never waits. */
  kill(containerId: string, processes: readonly HostProcess[]): void;
  /** Lets a frozen container go on, so that it can die: in version 1 of control groups the frozen hear no signal. */
  thaw(containerId: string, members: readonly HostProcess[]): void;
  /** Who listens on these ports; none for ports that are free. */
  holdersOf(ports: readonly HostPort[], signal: AbortSignal): Promise<PortHolder[]>;
}
