/**
 * A secret on its way to one host: sealed by the caller, stored as ciphertext, opened by the executor alone.
 *
 * The box is base64 of the sender's one-time public key (32 bytes), the nonce (24) and the ciphertext with its tag (16).
 */
import { z } from "zod";

export const EPHEMERAL_KEY_BYTES = 32;
export const NONCE_BYTES = 24;
const TAG_BYTES = 16;
const OVERHEAD_BYTES = EPHEMERAL_KEY_BYTES + NONCE_BYTES + TAG_BYTES;
const MAX_BOX_BYTES = 64 * 1024;
/** The longest secret that fits. */
export const MAX_SECRET_BYTES = MAX_BOX_BYTES - OVERHEAD_BYTES;

export const Sealed = z.strictObject({
  /** The host's sealingKey, base64 of its x25519 public key. */
  to: base64(32, 32),
  box: base64(OVERHEAD_BYTES, MAX_BOX_BYTES),
});
export type Sealed = z.infer<typeof Sealed>;

/** Canonical base64 of so many bytes; a second spelling of the same bytes is refused. */
function base64(minBytes: number, maxBytes: number) {
  return z
    .string()
    .max(Math.ceil(maxBytes / 3) * 4)
    .refine(
      (text) => {
        const bytes = Buffer.from(text, "base64");
        return bytes.length >= minBytes && bytes.length <= maxBytes && bytes.toString("base64") === text;
      },
      `must be base64 of ${minBytes === maxBytes ? minBytes : `${minBytes} to ${maxBytes}`} bytes`,
    );
}
