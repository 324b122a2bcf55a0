/**
 * The one importer of koffi here: the machine's OpenCL, loaded into this process. A driver may crash or hang the process, so
 * only ../worker.ts loads it.
 */
import koffi from "koffi";

import { ProofError } from "../failure.ts";
import { MAKERS, type OpenCl, SIGNATURES, STATUS } from "./functions.ts";

const TYPES: Readonly<Record<string, string>> = {
  h: "uintptr_t",
  u: "uint32_t",
  U: "uint64_t",
  z: "size_t",
  p: "void *",
  s: "str",
  S: "str *",
};
/** Of the threads that calls run on: compilers of drivers need more than koffi's usual one. */
const STACK_BYTES = 8 * 2 ** 20;

type Bound = ReturnType<ReturnType<typeof koffi.load>["func"]>;

/** Throws `no-library`. */
export function loadOpenCl(file: string): OpenCl {
  koffi.config({ sync_stack_size: STACK_BYTES, async_stack_size: STACK_BYTES });
  const library = open(file);
  const functions = bind(library, SIGNATURES, "int32_t");
  const makers = bind(library, MAKERS, "uintptr_t");
  return {
    call: (name, ...args) => found(functions, name)(...args),
    callLong: (name, ...args) =>
      new Promise((resolve, reject) => {
        found(functions, name).async(...args, (error: unknown, status: number) => {
          if (error === null || error === undefined) resolve(status);
          else reject(new ProofError("device-failed", `${name} could not be called.`));
        });
      }),
    make: (name, ...args) => {
      const status = Buffer.alloc(4);
      const handle = found(makers, name)(...args, status);
      check(name, status.readInt32LE(0));
      return handle;
    },
  };
}

/** Throws what a status other than success means. */
export function check(name: string, status: number): void {
  if (status === STATUS.success) return;
  const lacking: readonly number[] = [STATUS.allocationFailed, STATUS.outOfHostMemory, STATUS.invalidBufferSize];
  throw new ProofError(lacking.includes(status) ? "out-of-memory" : "device-failed", `${name} gave ${status}.`);
}

function open(file: string): ReturnType<typeof koffi.load> {
  try {
    return koffi.load(file);
  } catch (error) {
    throw new ProofError("no-library", error instanceof Error ? error.message : String(error));
  }
}

function bind(
  library: ReturnType<typeof koffi.load>,
  signatures: Readonly<Record<string, string>>,
  result: string,
): Map<string, Bound> {
  const bound = new Map<string, Bound>();
  for (const [name, kinds] of Object.entries(signatures)) {
    try {
      const parameters = kinds.split("").map((kind) => TYPES[kind] ?? "void *");
      bound.set(name, library.func(name, result, parameters));
    } catch {
      throw new ProofError("no-library", `The OpenCL library has no ${name}.`);
    }
  }
  return bound;
}

function found(functions: ReadonlyMap<string, Bound>, name: string): Bound {
  const bound = functions.get(name);
  if (bound === undefined) throw new ProofError("no-library", `The OpenCL library has no ${name}.`);
  return bound;
}
