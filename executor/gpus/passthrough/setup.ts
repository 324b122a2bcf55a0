/**
 * What a host has to hand accelerators to containers with: the engine, its runtimes, the vendors' tools, the device files.
 */
import type { CdiDevice } from "./cdi.ts";

/** A device file of the host that is there. */
export interface HostNode {
  /** The group that may use it. */
  readonly gid: number;
  /** Whether everybody may use it. */
  readonly forAll: boolean;
}

export interface HostSetup {
  readonly engineVersion: string;
  /** Whether the engine understands requests for CDI devices. */
  readonly cdi: boolean;
  /** What the engine itself found of them, as `vendor/class=name`; undefined for engines before 28.2, which do not say. */
  readonly discovered: readonly string[] | undefined;
  /** By `vendor/class=name`. */
  readonly cdiDevices: ReadonlyMap<string, CdiDevice>;
  /** Files among the specifications that could not be read, with the reason. */
  readonly unreadableSpecs: readonly string[];
  readonly runtimes: readonly string[];
  /** What pods run in. */
  readonly podRuntime: string;
  /** Whether root of a pod is nobody on the host. */
  readonly usersMapped: boolean;
  /** Whether NVIDIA's hook for the engine is installed. */
  readonly nvidiaHook: boolean;
  /** Of NVIDIA's container toolkit; undefined where there is none, or it does not say. */
  readonly toolkit: string | undefined;
  /** The folder of device files, `/dev`. */
  readonly devices: string;
  /** By path on the host. */
  readonly nodes: ReadonlyMap<string, HostNode>;
}
