/**
 * An answer whose bytes are there already, under a strong entity tag: a caller who has them is told so instead of being sent
 * them again. It costs no serialisation.
 */
const PREPARED = Symbol("prepared");

export interface Prepared {
  readonly [PREPARED]: true;
  /** Without quotes. */
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON in UTF-8. */
  readonly body: Buffer;
}

export function prepared(answer: Omit<Prepared, typeof PREPARED>): Prepared {
  return { ...answer, [PREPARED]: true };
}

export function isPrepared(value: unknown): value is Prepared {
  return typeof value === "object" && value !== null && PREPARED in value;
}

export interface PreparedReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

/** `status` unless If-None-Match names what the caller would get, which is 304 with the same headers and no body. */
export function replyTo(
  ifNoneMatch: string | undefined,
  { etag, headers, body }: Prepared,
  status: number,
): PreparedReply {
  const tagged = { ...headers, etag: `"${etag}"`, "cache-control": "no-cache" };
  if (namesTag(ifNoneMatch, etag)) return { status: 304, headers: tagged, body: undefined };
  return { status, headers: { ...tagged, "content-type": "application/json; charset=utf-8" }, body };
}

/** The comparison is the weak one, as for every GET. */
function namesTag(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = (ifNoneMatch ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes("*") || tags.includes(`"${etag}"`);
}
