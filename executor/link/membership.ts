/**
 * Which agent this host belongs to, in `agent.json` of the state folder: written by `join`, read by the link.
 * The join secret stays until the agent has let this host in once; after that the host's own key is enough.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { writeFileAtomic } from "../../common/atomic-file.ts";
import { AppError } from "../../protocol/errors.ts";
import { decodeJoinToken, JoinToken } from "../../protocol/link.ts";

export const Membership = z.strictObject({
  url: JoinToken.shape.url,
  fingerprint: JoinToken.shape.fingerprint,
  joinSecret: z.string().optional(),
});
export type Membership = z.infer<typeof Membership>;

function pathIn(stateDir: string): string {
  return join(stateDir, "agent.json");
}

/** Throws `join-token-invalid` for a text that is no token. */
export async function joinAgent(stateDir: string, token: string): Promise<Membership> {
  const decoded = decodeJoinToken(token.trim());
  if (decoded === undefined) throw new AppError("join-token-invalid", { message: "This text is not a join token." });
  const membership = { url: decoded.url, fingerprint: decoded.fingerprint, joinSecret: decoded.secret };
  await saveMembership(stateDir, membership);
  return membership;
}

/** Undefined for a host that has not joined. */
export async function loadMembership(stateDir: string): Promise<Membership | undefined> {
  const path = pathIn(stateDir);
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return Membership.parse(JSON.parse(text));
  } catch (cause) {
    throw new AppError("config-invalid", {
      message: `${path} cannot be read; run \`lium-executor join\` again.`,
      cause,
    });
  }
}

export async function saveMembership(stateDir: string, membership: Membership): Promise<void> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  await writeFileAtomic(pathIn(stateDir), `${JSON.stringify(membership, undefined, 2)}\n`, 0o600);
}
