/**
 * The `[lium]` section of agent.toml: whether Lium's validators are heard at /websocket/<hotkey>, and what their keys open.
 */
import { z } from "zod";

import { ImageReference } from "../../protocol/image-ref.ts";

const MIB = 2 ** 20;

export const LiumConfig = z
  .strictObject({
    enabled: z.boolean().default(true),
    /** How far a validator's clock may be off, either way. */
    clockSkewSeconds: z.int().min(1).max(300).default(10),
    /** Refuse keys without the signature that the later generation sends: nobody on the way can then slip in a key. */
    requireSignedKeys: z.boolean().default(false),
    /** For how long a key opens anything, unless the validator removes it before. */
    keySeconds: z.int().min(900).max(86_400).default(1_200),
    /** A small pod of ours for each key: no GPU, no Docker socket, nothing of the host. Off: keys open nothing. */
    shell: z
      .strictObject({
        enabled: z.boolean().default(false),
        image: ImageReference.default("debian:12"),
        cpus: z.number().min(0.01).max(64).default(1),
        memoryBytes: z
          .int()
          .min(64 * MIB)
          .default(1024 * MIB),
        diskBytes: z
          .int()
          .min(64 * MIB)
          .default(4096 * MIB),
        /** How many keys of one validator may be open on one host. */
        maxPerHost: z.int().min(1).max(64).default(4),
      })
      .prefault({}),
  })
  .prefault({});
export type LiumConfig = z.infer<typeof LiumConfig>;
