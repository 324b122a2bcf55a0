/**
 * The accelerators of this host, watched from the start of the executor to its end.
 */
import type { Base } from "../base.ts";
import { type OpenInventory, openInventory } from "./open.ts";

type Parts = Pick<Base, "config" | "keys" | "clock" | "log" | "random" | "life">;

/** Resolves after the first whole look, or a few seconds into one that hangs. Throws `config-invalid`. */
export async function startGpus({ config, keys, clock, log, random, life }: Parts): Promise<OpenInventory> {
  const inventory = openInventory({ ...config.gpus, seed: keys.identity.publicKey }, { clock, log, random });
  life.add("gpus", () => inventory.close());
  await inventory.start();
  return inventory;
}
