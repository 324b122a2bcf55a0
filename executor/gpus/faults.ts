/**
 * What is wrong with a device as far as looking for devices can tell: it does not answer, or its driver is not as it must be.
 * Everything that its counters say is the health engine's. Pure.
 */
import type { Accelerator, HealthReason, SourceState, UnavailableReason } from "../../protocol/accelerator.ts";
import { isUnavailable, knownOr } from "./known.ts";

const MEMORY: Readonly<Partial<Record<UnavailableReason, readonly [code: string, message: string]>>> = {
  lost: ["lost", "The device is lost: it has fallen off the bus."],
  "reset-required": ["reset-required", "The device answers nothing before it is reset."],
  timeout: ["probe-timeout", "The driver does not answer for this device in time."],
  error: ["failing", "The driver answers for this device with errors only."],
};

/** From a device whose own memory cannot be read. */
export function memoryFaults({ memory: { totalBytes } }: Pick<Accelerator, "memory">): HealthReason[] {
  if (!isUnavailable(totalBytes)) return [];
  const [code, message] = MEMORY[totalBytes.unavailable] ?? [];
  if (code !== undefined && message !== undefined) return [{ code, message, fence: true }];
  return [
    {
      code: "memory-unknown",
      message: "Nobody could say how much memory the device has: install its vendor's tool.",
      fence: false,
    },
  ];
}

/** AMD's own rule: an error that was not corrected, in whatever part of the device, makes it unhealthy. */
export function rasFaults({
  vendor,
  ecc: { uncorrectedVolatile },
}: Pick<Accelerator, "vendor" | "ecc">): HealthReason[] {
  const errors = knownOr(uncorrectedVolatile, 0);
  if (vendor !== "amd" || errors === 0) return [];
  return [
    {
      code: "ras-uncorrectable",
      message: `The device counts ${errors} uncorrectable errors since its driver was loaded.`,
      fence: true,
    },
  ];
}

/** Of a device that the bus shows and that its vendor's source does not speak of. */
export function silenceFault(state: SourceState, unlisted: HealthReason | undefined): HealthReason {
  const detail = state.detail === undefined ? "" : ` ${state.detail}`;
  switch (state.state) {
    case "ok":
      return unlisted ?? { code: "lost", message: "The driver does not list the device.", fence: true };
    case "probe-timeout":
      return {
        code: "probe-timeout",
        message: `The driver does not answer in time.${detail}`.slice(0, 400),
        fence: true,
      };
    case "absent":
      return {
        code: "library-missing",
        message: `The driver's library and tools are not usable.${detail}`.slice(0, 400),
        fence: true,
      };
    case "failed":
      return { code: "driver-failed", message: `The driver answers with errors.${detail}`.slice(0, 400), fence: true };
  }
}

/** A library of another version than the module that runs: a driver was upgraded under it. */
export function mismatchFaults(module: string | undefined, library: string | undefined): HealthReason[] {
  if (module === undefined || library === undefined || module === library) return [];
  const message = `The driver's library is ${library}, its kernel module ${module}: new programs fail until a reboot.`;
  return [{ code: "driver-mismatch", message, fence: true }];
}

/** A device that was there before. Nothing that was measured of it counts any more. */
export function missingDevice(gpu: Accelerator): HealthReason {
  const place = knownOr(gpu.pciAddress, "its place");
  return { code: "missing", message: `The device is gone from ${place} on the bus.`, fence: true };
}
