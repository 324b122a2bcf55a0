/**
 * The engine's runtimes that pods may run in, and how they differ. Data, by the name that each has by default; a runtime of
 * another name is judged like runc, because most are runc with something in front.
 */

export interface RuntimeTraits {
  /** What lies between a pod and the host's kernel. */
  readonly boundary: "namespaces" | "user namespace" | "kernel of its own" | "virtual machine";
  /** What a process in a pod shows of our settings; what it does not show is not asserted. */
  readonly shows: { readonly capabilities: boolean; readonly seccomp: boolean; readonly noNewPrivileges: boolean };
  readonly gpus: string;
  readonly knownDifferences: string;
  /** Whether this project's tests run it; the others are by their documentation. */
  readonly tested: boolean;
}

const ALL = { capabilities: true, seccomp: true, noNewPrivileges: true };

const RUNTIMES: Readonly<Record<string, RuntimeTraits>> = {
  runc: { boundary: "namespaces", shows: ALL, gpus: "CDI", knownDifferences: "none", tested: true },
  crun: {
    boundary: "namespaces",
    shows: ALL,
    gpus: "CDI",
    knownDifferences:
      "releases before 1.9 refuse what engines from 25 on ask of them, and hosts with both versions of cgroups",
    tested: true,
  },
  "sysbox-runc": {
    boundary: "user namespace",
    shows: { ...ALL, capabilities: false },
    gpus: "the vendor's hook, not CDI",
    knownDifferences: "root has every capability, all of them inside a user namespace of its own; Docker in pods works",
    tested: false,
  },
  runsc: {
    boundary: "kernel of its own",
    shows: { ...ALL, seccomp: false },
    gpus: "NVIDIA alone, with nvproxy turned on and a driver that it knows",
    knownDifferences: "gVisor: system calls cost more, and its filters are not the pod's own",
    tested: false,
  },
  "kata-runtime": {
    boundary: "virtual machine",
    shows: { ...ALL, seccomp: false },
    gpus: "whole devices by VFIO",
    knownDifferences: "memory and CPUs of a pod are a virtual machine's, whose start takes seconds",
    tested: false,
  },
};

const UNKNOWN: RuntimeTraits = {
  boundary: "namespaces",
  shows: ALL,
  gpus: "unknown",
  knownDifferences: "unknown: judged like runc",
  tested: false,
};

export function traitsOf(runtime: string): RuntimeTraits {
  return RUNTIMES[runtime] ?? UNKNOWN;
}
