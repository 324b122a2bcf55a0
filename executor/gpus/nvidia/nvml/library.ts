/**
 * The one importer of koffi: NVIDIA's own library, loaded into this process. It may crash or hang the process, so only
 * worker.ts loads it. Calls run on other threads, so that one that hangs holds up no other.
 */
import koffi from "koffi";

import { type Nvml, type NvmlFunction, RC, SIGNATURES } from "./functions.ts";

const TYPES: Readonly<Record<string, string>> = { h: "uintptr_t", u: "uint32_t", U: "uint64_t", p: "void *" };

/** Where a driver's packages put it, after the loader's own search. */
export const NVML_LIBRARIES: readonly string[] = [
  "libnvidia-ml.so.1",
  "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
  "/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1",
  "/usr/lib64/libnvidia-ml.so.1",
  "/run/nvidia/driver/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
  "/run/nvidia/driver/usr/lib64/libnvidia-ml.so.1",
];

type Load = { readonly nvml: Nvml } | { readonly absent: string };
type Bound = ReturnType<ReturnType<typeof koffi.load>["func"]>;

/** The first of `files` that loads, with those functions that it has. */
export function loadNvml(files: readonly string[]): Load {
  const complaints: string[] = [];
  for (const file of files) {
    try {
      return { nvml: bind(koffi.load(file)) };
    } catch (error) {
      complaints.push(`${file}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { absent: complaints[0] ?? "No library was named." };
}

function bind(library: ReturnType<typeof koffi.load>): Nvml {
  const functions = new Map<NvmlFunction, Bound>();
  for (const [name, kinds] of entries(SIGNATURES)) {
    try {
      functions.set(
        name,
        library.func(
          name,
          "int",
          kinds.split("").map((kind) => TYPES[kind] ?? "void *"),
        ),
      );
    } catch {
      // This driver does not have it; `has` says so.
    }
  }
  return {
    has: (name) => functions.has(name),
    call: (name, ...args) =>
      new Promise((resolve, reject) => {
        const bound = functions.get(name);
        if (bound === undefined) return resolve(RC.functionNotFound);
        bound.async(...args, (error: unknown, code: number) => {
          if (error !== null && error !== undefined) reject(new Error(`${name} could not be called`, { cause: error }));
          else resolve(code);
        });
      }),
  };
}

function entries<K extends string, V>(record: Readonly<Record<K, V>>): [K, V][] {
  const pairs: [K, V][] = [];
  for (const key in record) pairs.push([key, record[key]]);
  return pairs;
}
