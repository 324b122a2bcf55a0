/**
 * The one importer of koffi: NVIDIA's own library, loaded into this process. It may crash the process or hold its thread for
 * ever, so only caller.ts loads it.
 */
import koffi from "koffi";

import { type Nvml, type NvmlArgument, type NvmlFunction, RC, SIGNATURES } from "./functions.ts";

const TYPES: Readonly<Record<string, string>> = { h: "uintptr_t", u: "uint32_t", U: "uint64_t", p: "void *" };

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
    call: async (name, ...args) => {
      const bound = functions.get(name);
      if (bound === undefined) return RC.functionNotFound;
      return WAITING.has(name) ? elsewhere(bound, args) : Number(bound(...args));
    },
  };
}

/** Those that wait by design; they go to another thread. */
const WAITING: ReadonlySet<NvmlFunction> = new Set(["nvmlEventSetWait_v2"]);

function elsewhere(bound: Bound, args: readonly NvmlArgument[]): Promise<number> {
  return new Promise((resolve, reject) => {
    bound.async(...args, (error: unknown, code: number) => {
      if (error !== null && error !== undefined) reject(new Error("A call could not be made.", { cause: error }));
      else resolve(code);
    });
  });
}

function entries<K extends string, V>(record: Readonly<Record<K, V>>): [K, V][] {
  const pairs: [K, V][] = [];
  for (const key in record) pairs.push([key, record[key]]);
  return pairs;
}
