/**
 * The HostProcesses port over this machine's /proc. Each look has a deadline of its own besides the caller's signal.
 */
import { findContainerProcesses, killProcesses, type SendKill, thawContainer } from "./container-processes.ts";
import type { HostProcesses } from "./host-processes.ts";
import { findPortHolders } from "./port-holders.ts";
import { withinLimits } from "./proc-files.ts";

export interface LinuxProcessesOptions {
  readonly procRoot?: string;
  readonly cgroupRoot?: string;
  /** Where the tables of sockets are, for an engine that publishes ports in another network than ours. */
  readonly netDir?: string;
  readonly sendKill?: SendKill;
}

/** Must run as root and see the host's processes: neither is so in a container of its own. */
export function linuxProcesses(options: LinuxProcessesOptions = {}): HostProcesses {
  const { procRoot = "/proc", cgroupRoot = "/sys/fs/cgroup", netDir = `${procRoot}/net` } = options;
  const { sendKill = (pid) => process.kill(pid, "SIGKILL") } = options;
  const paths = { procRoot, cgroupRoot, sendKill };
  return {
    ofContainer: (containerId, signal) =>
      withinLimits("Looking for processes", signal, (within) => findContainerProcesses(paths, containerId, within)),
    kill: (containerId, processes) => killProcesses(paths, containerId, processes),
    thaw: (containerId, members) => thawContainer(paths, containerId, members),
    holdersOf: (ports, signal) =>
      withinLimits("Looking for sockets", signal, (within) => findPortHolders({ procRoot, netDir }, ports, within)),
  };
}
