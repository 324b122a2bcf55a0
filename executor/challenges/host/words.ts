/**
 * What the executor and the processes that work for a host's challenge say to each other.
 */
import { z } from "zod";

import { Digest } from "../../../protocol/challenge/bytes.ts";
import { PublicPort } from "../../../protocol/challenge/host-messages.ts";

const Port = PublicPort.shape.port;

export const WindowRequest = z.strictObject({
  /** What a caller has to say before it is told anything. */
  challengeId: Digest,
  tokens: z.array(z.strictObject({ port: Port, protocol: PublicPort.shape.protocol, token: z.base64() })),
  /** A port that tells a seeded stream. */
  stream: z.strictObject({ port: Port, key: Digest, bytes: z.int() }).optional(),
});
export type WindowRequest = z.infer<typeof WindowRequest>;

export const DiskRequest = z.strictObject({ file: z.string(), key: Digest, bytes: z.int() });
export type DiskRequest = z.infer<typeof DiskRequest>;

export const DiskAnswer = z.strictObject({ digest: Digest, writeMs: z.number(), readMs: z.number() });
export type DiskAnswer = z.infer<typeof DiskAnswer>;
