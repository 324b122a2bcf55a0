/**
 * Processes of a host that a test makes up: `add` one to a container, and `kill` ends it unless it is in state D.
 * Passes test/compliance/host-processes.suite.ts.
 */
import type {
  ContainerProcesses,
  HostPort,
  HostProcess,
  HostProcesses,
  PortHolder,
} from "../../executor/host/processes/host-processes.ts";

interface Living {
  readonly containerId: string;
  readonly role: "members" | "shims";
  process: HostProcess;
}

export class FakeProcesses implements HostProcesses {
  readonly holders: PortHolder[] = [];
  /** The pids that were sent SIGKILL, in order. */
  readonly killed: number[] = [];
  /** What the world does when a process has died. */
  onDeath: (containerId: string) => void = () => undefined;
  #living: Living[] = [];
  #pids = 1_000;

  add(containerId: string, role: Living["role"], over: Partial<HostProcess> = {}): HostProcess {
    this.#pids += 1;
    const command = role === "shims" ? "containerd-shim" : "sleep";
    const process = { pid: this.#pids, startTicks: this.#pids * 7, command, state: "S", waitsIn: "", ...over };
    this.#living.push({ containerId, role, process });
    return process;
  }

  /** The kernel lets go of what heard no signal. */
  release(pid: number): void {
    this.#living = this.#living.filter(({ process }) => process.pid !== pid);
  }

  async ofContainer(containerId: string, signal: AbortSignal): Promise<ContainerProcesses> {
    signal.throwIfAborted();
    const of = (role: Living["role"]): HostProcess[] =>
      this.#living
        .filter((living) => living.containerId === containerId && living.role === role)
        .map(({ process }) => process);
    return { members: of("members"), shims: of("shims") };
  }

  kill(containerId: string, processes: readonly HostProcess[]): void {
    for (const { pid, startTicks } of processes) {
      const living = this.#living.find(({ process }) => process.pid === pid && process.startTicks === startTicks);
      if (living?.containerId !== containerId) continue;
      this.killed.push(pid);
      if (living.process.state === "D") continue;
      this.release(pid);
      this.onDeath(containerId);
    }
  }

  thaw(containerId: string): void {
    for (const living of this.#living) {
      if (living.containerId !== containerId || living.process.waitsIn !== "freezer") continue;
      living.process = { ...living.process, state: "S", waitsIn: "" };
    }
  }

  async holdersOf(ports: readonly HostPort[], signal: AbortSignal): Promise<PortHolder[]> {
    signal.throwIfAborted();
    return this.holders.filter((holder) =>
      ports.some(({ hostPort, protocol }) => hostPort === holder.hostPort && protocol === holder.protocol),
    );
  }
}
