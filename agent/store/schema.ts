/**
 * The tables as kysely knows them. JSON is text and truth values are 0 or 1, so that every dialect stores them alike.
 */
import type { Generated } from "kysely";

export interface Tables {
  hosts: {
    host_id: string;
    name: string;
    public_key: string;
    enrolled_at: string;
    last_seen_at: string | null;
    facts: string | null;
    event_cursor: number;
  };
  pods: {
    pod_id: string;
    host_id: string;
    owner: string;
    created_at: string;
    claimed: number;
    accepted_ms: number;
    idempotency_key: string | null;
    request_hash: string | null;
    wanted: string;
    status: string | null;
  };
  events: {
    cursor: Generated<number>;
    pod_id: string;
    event: string;
    host_id: string | null;
    host_cursor: number | null;
  };
  join_tokens: { secret_hash: string; expires_at_ms: number };
  /** A nonce has 64 bits, more than a number holds: it is text. */
  nonces: { hotkey: string; nonce: string; expires_at_ms: number };
  /** Rows of other tables that could not be read, as JSON. */
  damaged_rows: { origin: string; key: string; content: string; set_aside_at: string };
  audit: { id: Generated<number>; at: string; who: string; action: string; subject: string; outcome: string };
}
