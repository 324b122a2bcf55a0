/**
 * What one accelerator adds to a container, or why it cannot be given.
 */
import type { DeviceFile, DeviceRequest } from "../../docker/runtime.ts";

/** What one unit adds to a container. */
export interface Share {
  readonly requests: readonly DeviceRequest[];
  readonly files: readonly DeviceFile[];
  /** Groups that may use the files. */
  readonly groups: readonly number[];
  /** Choices of devices that a vendor's runtime reads; the values of several units are joined by commas. */
  readonly selectors: Readonly<Record<string, string>>;
  /** Another runtime than pods run in. */
  readonly runtime?: string;
  /** Device files that are there inside. */
  readonly nodes: readonly string[];
}

/** Why something cannot be given, with what to do about it. */
export interface Lack {
  readonly lack: string;
}

export function lacking(lack: string): Lack {
  return { lack };
}
