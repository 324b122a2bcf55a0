/**
 * What host and agent put their names to: which step, in which challenge, and the digest of what is said. A hotkey never signs
 * bytes that a stranger chose, and no signature of one step passes for another's.
 *
 * Pure: callers bring the keys' own primitives.
 */
import type { HostAnswerBody, HostChallenge, PublicPort } from "./host-messages.ts";
import { type AnswerBody, type Challenge, type CommitBody, digestOf } from "./messages.ts";
import type { Signatures } from "./signatures.ts";

export type Statement =
  | { readonly step: "commit"; readonly body: CommitBody }
  | { readonly step: "answer"; readonly body: AnswerBody }
  | { readonly step: "result"; readonly body: HostAnswerBody };

type AnyChallenge = Challenge | HostChallenge;

/** Four lines, no line break at the end. */
export function statementBytes(challenge: AnyChallenge, { step, body }: Statement): Uint8Array {
  const lines = ["lium-challenge/1", step, digestOf(challenge), digestOf(body)];
  return new TextEncoder().encode(lines.join("\n"));
}

export type SignBytes = (bytes: Uint8Array) => Uint8Array;

/** base64 of one of the two signatures; the host makes its own, the agent adds its own. */
export function signStatement(challenge: AnyChallenge, statement: Statement, sign: SignBytes): string {
  return Buffer.from(sign(statementBytes(challenge, statement))).toString("base64");
}

export interface SignatureChecks {
  /** ed25519, with the key that the challenge names. */
  readonly host: (bytes: Uint8Array, signature: Uint8Array, publicKey: Uint8Array) => boolean;
  /** The scheme that the agent's hotkey is registered for. */
  readonly agent: (bytes: Uint8Array, signature: Uint8Array, hotkey: string) => boolean;
}

/** Whose signature is wrong; undefined when both are right. */
export function wrongSignature(
  challenge: AnyChallenge,
  signed: Statement & { readonly signatures: Signatures },
  checks: SignatureChecks,
): "host" | "agent" | undefined {
  const bytes = statementBytes(challenge, signed);
  const { host, agent } = signed.signatures;
  if (!checks.host(bytes, Buffer.from(host, "base64"), Buffer.from(challenge.hostKey, "base64"))) return "host";
  if (!checks.agent(bytes, Buffer.from(agent, "base64"), challenge.agent)) return "agent";
  return undefined;
}

/** What the host's key signs for one asked port: the 64 bytes of the signature are the token that the port gives. */
export function portTokenBytes(challengeId: string, { protocol, port }: PublicPort): Uint8Array {
  return new TextEncoder().encode(["lium-challenge/1", "port", challengeId, protocol, String(port)].join("\n"));
}
