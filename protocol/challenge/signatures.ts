/**
 * The two signatures under everything that a host says in a challenge.
 */
import { z } from "zod";

import { base64 } from "./bytes.ts";

/** Both over the bytes of signing.ts; the agent's with the scheme that its hotkey is registered for. */
export const Signatures = z.strictObject({ host: base64(64, 64), agent: base64(64, 64) });
export type Signatures = z.infer<typeof Signatures>;
