/**
 * The functions of OpenCL 1.2 that are used, with the kinds of their arguments, and the numbers that they are asked with.
 */

/** h: a handle; u and U: an unsigned number of 32 or 64 bits; z: a size; p: a pointer to memory; s: text; S: an array of text. */
export const SIGNATURES = {
  clGetPlatformIDs: "upp",
  clGetPlatformInfo: "huzpp",
  clGetDeviceIDs: "hUupp",
  clGetDeviceInfo: "huzpp",
  clBuildProgram: "hupspp",
  clGetProgramBuildInfo: "hhuzpp",
  clSetKernelArg: "huzp",
  clReleaseMemObject: "h",
  clEnqueueNDRangeKernel: "hhupppupp",
  clEnqueueReadBuffer: "hhuzzpupp",
  clEnqueueWriteBuffer: "hhuzzpupp",
  clFinish: "h",
  clGetEventProfilingInfo: "huzpp",
  clReleaseEvent: "h",
} as const;

/** These give a handle, and write a status where their last argument points. */
export const MAKERS = {
  clCreateContext: "pupppp",
  clCreateCommandQueue: "hhUp",
  clCreateProgramWithSource: "huSpp",
  clCreateKernel: "hsp",
  clCreateBuffer: "hUzpp",
} as const;

export type OpenClFunction = keyof typeof SIGNATURES;
export type OpenClMaker = keyof typeof MAKERS;
export type Handle = number | bigint;
export type OpenClArgument = Handle | Uint8Array | string | readonly string[] | null;

/** The library as its process sees it. Calls that may take long leave the loop free. */
export interface OpenCl {
  call(name: OpenClFunction, ...args: OpenClArgument[]): number;
  callLong(name: OpenClFunction, ...args: OpenClArgument[]): Promise<number>;
  /** Without the last argument, which is added; throws a `ProofError` where the status is no success. */
  make(name: OpenClMaker, ...args: OpenClArgument[]): Handle;
}

export const STATUS = {
  success: 0,
  deviceNotFound: -1,
  allocationFailed: -4,
  outOfHostMemory: -6,
  buildFailed: -11,
  invalidBufferSize: -61,
  platformNotFound: -1001,
} as const;

export const PLATFORM = { name: 0x0902 } as const;

export const DEVICE = {
  typeCpu: 2n,
  typeAll: 0xffff_ffffn,
  type: 0x1000,
  vendorId: 0x1001,
  maxAllocation: 0x1010,
  globalMemory: 0x101f,
  localMemory: 0x1023,
  maxGroup: 0x1004,
  name: 0x102b,
  driver: 0x102d,
  extensions: 0x1030,
  /** cl_khr_device_uuid: 16 bytes. */
  uuid: 0x106a,
  /** cl_khr_pci_bus_info: domain, bus, device and function as words. */
  pciBusInfo: 0x410f,
  /** cl_nv_device_attribute_query; the slot is device and function. */
  nvidiaBus: 0x4008,
  nvidiaSlot: 0x4009,
  nvidiaDomain: 0x400a,
  /** cl_amd_device_attribute_query: 24 bytes, the last three are bus, device and function. */
  amdTopology: 0x4037,
} as const;

export const QUEUE_PROFILING = 2n;
export const MEMORY_READ_WRITE = 1n;
export const BUILD_LOG = 0x1183;
export const PROFILING = { start: 0x1282, end: 0x1283 } as const;
