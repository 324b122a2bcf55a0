/**
 * One device at work: its program, its memory, its queue, and how long each kernel ran by the device's own clock. Nothing is
 * given back but memory, for the process ends with the work.
 */
import { ProofError } from "../failure.ts";
import type { FoundDevice } from "./devices.ts";
import {
  BUILD_LOG,
  type Handle,
  MEMORY_READ_WRITE,
  type OpenCl,
  PROFILING,
  QUEUE_PROFILING,
  STATUS,
} from "./functions.ts";
import { type KernelName, KERNELS, SOURCE } from "./kernels.ts";
import { check } from "./library.ts";

const LOG_CHARS = 4_000;
const NS_PER_MS = 1e6;

export interface DeviceMemory {
  readonly handle: Handle;
  readonly bytes: number;
}

export interface Launch {
  /** Whole numbers of 32 bits, and memory. */
  readonly args: readonly (number | DeviceMemory)[];
  readonly global: readonly number[];
  readonly local?: readonly number[];
}

export class Session {
  readonly device: FoundDevice;
  readonly #opencl: OpenCl;
  readonly #context: Handle;
  readonly #queue: Handle;
  readonly #held = new Set<DeviceMemory>();
  readonly #kernels = new Map<KernelName, Handle>();
  readonly #running: { readonly name: KernelName; readonly event: bigint }[] = [];
  readonly #times = new Map<KernelName, number>();

  constructor(opencl: OpenCl, device: FoundDevice) {
    this.#opencl = opencl;
    this.device = device;
    this.#context = opencl.make("clCreateContext", null, 1, pointerTo(device.handle), null, null);
    this.#queue = opencl.make("clCreateCommandQueue", this.#context, device.handle, QUEUE_PROFILING);
  }

  /** Throws `build-failed` with the compiler's log. */
  async build(): Promise<void> {
    const program = this.#opencl.make("clCreateProgramWithSource", this.#context, 1, [SOURCE], null);
    const { handle } = this.device;
    const status = await this.#opencl.callLong("clBuildProgram", program, 1, pointerTo(handle), "", null, null);
    if (status !== STATUS.success) {
      const log = Buffer.alloc(2 ** 20);
      this.#opencl.call("clGetProgramBuildInfo", program, handle, BUILD_LOG, log.length, log, null);
      const text = log.toString("utf8").replace(/\0.*$/s, "").trim();
      throw new ProofError("build-failed", `The kernels do not build (${status}): ${text.slice(-LOG_CHARS)}`);
    }
    for (const name of KERNELS) this.#kernels.set(name, this.#opencl.make("clCreateKernel", program, name));
  }

  /** Drivers may put it off: `out-of-memory` can also come from the first kernel that uses it. */
  allocate(bytes: number): DeviceMemory {
    const held = [...this.#held].reduce((sum, memory) => sum + memory.bytes, 0);
    if (held + bytes > this.device.memoryBytes) {
      throw new ProofError("out-of-memory", `The device has ${this.device.memoryBytes} bytes in all.`);
    }
    const handle = this.#opencl.make("clCreateBuffer", this.#context, MEMORY_READ_WRITE, bytes, null);
    const memory = { handle, bytes };
    this.#held.add(memory);
    return memory;
  }

  release(memory: DeviceMemory): void {
    this.#held.delete(memory);
    check("clReleaseMemObject", this.#opencl.call("clReleaseMemObject", memory.handle));
  }

  releaseAll(): void {
    for (const memory of this.#held) this.release(memory);
  }

  async write(memory: DeviceMemory, bytes: Uint8Array): Promise<void> {
    const args = [this.#queue, memory.handle, 1, 0, bytes.length, bytes, 0, null, null];
    check("clEnqueueWriteBuffer", await this.#opencl.callLong("clEnqueueWriteBuffer", ...args));
  }

  async read(memory: DeviceMemory, from = 0, bytes = memory.bytes): Promise<Buffer> {
    const room = Buffer.alloc(bytes);
    const args = [this.#queue, memory.handle, 1, from, bytes, room, 0, null, null];
    check("clEnqueueReadBuffer", await this.#opencl.callLong("clEnqueueReadBuffer", ...args));
    return room;
  }

  /** Goes behind what was launched before; `settle` waits for it. */
  launch(name: KernelName, { args, global, local }: Launch): void {
    const kernel = this.#kernels.get(name);
    if (kernel === undefined) throw new ProofError("device-failed", "The kernels are not built.");
    for (const [index, argument] of args.entries()) {
      const value = typeof argument === "number" ? word(argument) : pointerTo(argument.handle);
      check(`Argument ${index} of ${name}`, this.#opencl.call("clSetKernelArg", kernel, index, value.length, value));
    }
    const event = Buffer.alloc(8);
    const groups = local === undefined ? null : sizesOf(local);
    const place = [null, sizesOf(global), groups] as const;
    const call = [this.#queue, kernel, global.length, ...place, 0, null, event];
    check(name, this.#opencl.call("clEnqueueNDRangeKernel", ...call));
    this.#running.push({ name, event: event.readBigUInt64LE(0) });
  }

  async settle(): Promise<void> {
    check("clFinish", await this.#opencl.callLong("clFinish", this.#queue));
    for (const { name, event } of this.#running.splice(0)) {
      const [start, end] = [PROFILING.start, PROFILING.end].map((key) => this.#timeOf(event, key));
      this.#times.set(name, (this.#times.get(name) ?? 0) + Number((end ?? 0n) - (start ?? 0n)) / NS_PER_MS);
      this.#opencl.call("clReleaseEvent", event);
    }
  }

  /** Milliseconds that each kernel ran since the last time this was asked. */
  takeTimes(): Record<string, number> {
    const times = Object.fromEntries(this.#times);
    this.#times.clear();
    return times;
  }

  #timeOf(event: Handle, key: number): bigint {
    const room = Buffer.alloc(8);
    this.#opencl.call("clGetEventProfilingInfo", event, key, room.length, room, null);
    return room.readBigUInt64LE(0);
  }
}

function pointerTo(handle: Handle): Buffer {
  const room = Buffer.alloc(8);
  room.writeBigUInt64LE(BigInt(handle));
  return room;
}

function word(value: number): Buffer {
  const room = Buffer.alloc(4);
  room.writeUInt32LE(value >>> 0);
  return room;
}

function sizesOf(counts: readonly number[]): Buffer {
  const room = Buffer.alloc(8 * counts.length);
  for (const [index, count] of counts.entries()) room.writeBigUInt64LE(BigInt(count), 8 * index);
  return room;
}
