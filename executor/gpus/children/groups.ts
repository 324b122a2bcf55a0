/**
 * Process groups of children that may hang in a driver: ending them, and seeing whether they are gone.
 * A process that waits inside the kernel outlives SIGKILL, and looking at it must not wait with it.
 */
import { readdirSync, readFileSync } from "node:fs";

export interface ProcessGroups {
  /** Ends every process of the group that `leader` began; harmless when it is gone. */
  kill(leader: number): void;
  isGone(leader: number): boolean;
}

export function linuxGroups(): ProcessGroups {
  return {
    kill: (leader) => {
      signalGroup(leader, "SIGKILL");
    },
    isGone: (leader) => !signalGroup(leader, 0) || !hasLiveMember(leader),
  };
}

/** Whether there was a process to signal, be it a dead one that nobody asked about yet. */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-leader, signal);
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}

/** Zombies are dead. Reads only stat files, which the kernel gives out whatever the process waits for. */
function hasLiveMember(leader: number): boolean {
  return readdirSync("/proc").some((name) => /^\d+$/.test(name) && isLiveMember(name, leader));
}

function isLiveMember(pid: string, leader: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state = "X", , group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(group) === leader && state !== "Z" && state !== "X";
  } catch {
    // It ended while we looked.
    return false;
  }
}
