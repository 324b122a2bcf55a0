/**
 * The functions of NVIDIA's management library (NVML) that are used, with the kinds of their arguments, and what its return
 * codes mean. All of them give an int. A driver has some of them: each is looked up by name, and its absence is an answer.
 */
import type { Unavailable } from "../../../../protocol/accelerator.ts";
import { unavailable } from "../../known.ts";

/** h: a handle; u and U: an unsigned number of 32 or 64 bits; p: a pointer to memory that it writes. */
export const SIGNATURES = {
  nvmlInit_v2: "",
  nvmlShutdown: "",
  nvmlSystemGetDriverVersion: "pu",
  nvmlSystemGetCudaDriverVersion_v2: "p",
  nvmlDeviceGetCount_v2: "p",
  nvmlDeviceGetHandleByIndex_v2: "up",
  nvmlDeviceGetName: "hpu",
  nvmlDeviceGetUUID: "hpu",
  nvmlDeviceGetSerial: "hpu",
  nvmlDeviceGetVbiosVersion: "hpu",
  nvmlDeviceGetMinorNumber: "hp",
  nvmlDeviceGetPciInfo_v3: "hp",
  nvmlDeviceGetMemoryInfo_v2: "hp",
  nvmlDeviceGetMemoryInfo: "hp",
  nvmlDeviceGetUtilizationRates: "hp",
  nvmlDeviceGetTemperatureV: "hp",
  nvmlDeviceGetTemperature: "hup",
  nvmlDeviceGetMarginTemperature: "hp",
  nvmlDeviceGetTemperatureThreshold: "hup",
  nvmlDeviceGetFanSpeed: "hp",
  nvmlDeviceGetPowerUsage: "hp",
  nvmlDeviceGetEnforcedPowerLimit: "hp",
  nvmlDeviceGetPowerManagementDefaultLimit: "hp",
  nvmlDeviceGetTotalEnergyConsumption: "hp",
  nvmlDeviceGetClockInfo: "hup",
  nvmlDeviceGetMaxClockInfo: "hup",
  nvmlDeviceGetPerformanceState: "hp",
  nvmlDeviceGetCurrentClocksEventReasons: "hp",
  nvmlDeviceGetCurrentClocksThrottleReasons: "hp",
  nvmlDeviceGetFieldValues: "hup",
  nvmlDeviceGetEccMode: "hpp",
  nvmlDeviceGetTotalEccErrors: "huup",
  nvmlDeviceGetSramEccErrorStatus: "hp",
  nvmlDeviceGetRemappedRows: "hpppp",
  nvmlDeviceGetRowRemapperHistogram: "hp",
  nvmlDeviceGetRetiredPages: "hupp",
  nvmlDeviceGetCurrPcieLinkGeneration: "hp",
  nvmlDeviceGetCurrPcieLinkWidth: "hp",
  nvmlDeviceGetMaxPcieLinkGeneration: "hp",
  nvmlDeviceGetMaxPcieLinkWidth: "hp",
  nvmlDeviceGetPcieReplayCounter: "hp",
  nvmlDeviceGetNvLinkState: "hup",
  nvmlDeviceGetNvLinkRemoteDeviceType: "hup",
  nvmlDeviceGetNvLinkRemotePciInfo_v2: "hup",
  nvmlDeviceGetNvLinkErrorCounter: "huup",
  nvmlDeviceGetGpuFabricInfoV: "hp",
  nvmlDeviceGetMigMode: "hpp",
  nvmlDeviceGetMaxMigDeviceCount: "hp",
  nvmlDeviceGetMigDeviceHandleByIndex: "hup",
  nvmlDeviceGetGpuInstanceId: "hp",
  nvmlDeviceGetComputeInstanceId: "hp",
  nvmlDeviceGetAttributes_v2: "hp",
  nvmlDeviceGetComputeRunningProcesses_v3: "hpp",
  nvmlDeviceGetGraphicsRunningProcesses_v3: "hpp",
  nvmlDeviceGetPersistenceMode: "hp",
  nvmlEventSetCreate: "p",
  nvmlDeviceGetSupportedEventTypes: "hp",
  nvmlDeviceRegisterEvents: "hUh",
  nvmlEventSetWait_v2: "hpu",
} as const;

export type NvmlFunction = keyof typeof SIGNATURES;
export type NvmlArgument = number | bigint | Buffer;

/** The library, or what plays it in a test. */
export interface Nvml {
  has(name: NvmlFunction): boolean;
  /** Resolves to the return code. It may never resolve: a driver can hold a call for ever. */
  call(name: NvmlFunction, ...args: NvmlArgument[]): Promise<number>;
}

export const RC = {
  success: 0,
  notSupported: 3,
  noPermission: 4,
  notFound: 6,
  tooSmall: 7,
  driverNotLoaded: 9,
  timeout: 10,
  functionNotFound: 13,
  lost: 15,
  resetRequired: 16,
  mismatch: 18,
  noData: 21,
  wrongVersion: 25,
  deprecated: 26,
} as const;

const REASONS: Readonly<Record<number, Unavailable["unavailable"]>> = {
  [RC.notSupported]: "not-supported",
  [RC.noPermission]: "no-permission",
  [RC.timeout]: "timeout",
  [RC.functionNotFound]: "not-supported",
  [RC.lost]: "lost",
  [RC.resetRequired]: "reset-required",
  [RC.noData]: "not-supported",
  [RC.wrongVersion]: "not-supported",
  [RC.deprecated]: "deprecated",
};

/** Why a call gave no value, from its return code. */
export function unavailableFor(code: number, name: string): Unavailable {
  const reason = REASONS[code];
  return reason === undefined ? unavailable("error", `${name} returned ${code}.`) : unavailable(reason);
}
