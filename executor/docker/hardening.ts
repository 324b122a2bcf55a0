/**
 * What every container of ours is denied, whatever runs in it. Pure. Seccomp's default profile, AppArmor's docker-default
 * and the engine's masked and read-only paths are in force because nothing here names another.
 */
import type { HostConfig } from "./runtime.ts";

/** All that root has in a pod; every other capability is dropped, for good. Each is here because something breaks without it. */
export const POD_CAPABILITIES: Readonly<Record<string, string>> = {
  CHOWN: "apt, dpkg and tar hand files to other users",
  DAC_OVERRIDE: "root reads and writes files of other users, as programs expect of it",
  FOWNER: "chmod and utime on files of other users: package scripts fail",
  FSETID: "set-group-id bits survive chown and chmod by root; without it they are lost without a word",
  KILL: "root stops processes of other users, as service scripts do",
  NET_BIND_SERVICE: "a program with this file capability, such as Caddy's, cannot be run at all without it",
  SETFCAP: "rpm and package scripts give files capabilities; pods gain nothing that is not in this list",
  SETGID: "the image's own user, apt's sandbox, su and every server that drops root",
  SETUID: "the image's own user, apt's sandbox, su and every server that drops root",
  SYS_CHROOT: "an image's own OpenSSH server ends each login without it",
};

/** Bits by name, as in linux/capability.h; only those above. */
const CAPABILITY_BITS: Readonly<Record<string, number>> = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  FOWNER: 3,
  FSETID: 4,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
  NET_BIND_SERVICE: 10,
  SYS_CHROOT: 18,
  SETFCAP: 31,
};

/** The set as /proc/PID/status writes it: 16 hexadecimal digits. */
export function capabilityMask(): string {
  const bits = Object.keys(POD_CAPABILITIES).map((name) => 1n << BigInt(CAPABILITY_BITS[name] ?? 63));
  return bits
    .reduce((mask, bit) => mask | bit, 0n)
    .toString(16)
    .padStart(16, "0");
}

/** What differs between hosts. */
export interface HardeningSettings {
  /** The engine's runtime by name; its default when left out. */
  readonly runtime?: string | undefined;
  /** Open files of one process; more than the engine itself may have makes every start fail on some hosts. */
  readonly openFiles?: number | undefined;
}

type Hardening = Pick<
  HostConfig,
  "Privileged" | "CapDrop" | "CapAdd" | "SecurityOpt" | "CgroupnsMode" | "IpcMode" | "Ulimits" | "Runtime"
>;

export function hardening({ runtime, openFiles }: HardeningSettings): Hardening {
  return {
    Privileged: false,
    CapDrop: ["ALL"],
    CapAdd: Object.keys(POD_CAPABILITIES),
    SecurityOpt: ["no-new-privileges"],
    CgroupnsMode: "private",
    IpcMode: "private",
    Ulimits: [
      // One byte, not zero: a host's crash handler takes a pod's memory in spite of a limit of zero, but not of one.
      { Name: "core", Soft: 1, Hard: 1 },
      ...(openFiles === undefined ? [] : [{ Name: "nofile", Soft: openFiles, Hard: openFiles }]),
    ],
    ...(runtime === undefined ? {} : { Runtime: runtime }),
  };
}
