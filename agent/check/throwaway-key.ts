/**
 * A public key for SSH whose secret half nobody keeps: for pods that only have to answer.
 */
import { generateEd25519 } from "../../common/ed25519.ts";

const KIND = "ssh-ed25519";

/** As in authorized_keys: the kind, and in base64 the kind and the key, each after its length in four bytes (RFC 8709). */
export function throwawayKey(): string {
  const key = Buffer.from(generateEd25519().publicKey, "base64");
  const blob = [Buffer.from(KIND), key].flatMap((part) => [Buffer.from([0, 0, 0, part.length]), part]);
  return `${KIND} ${Buffer.concat(blob).toString("base64")}`;
}
