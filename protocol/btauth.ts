/**
 * btauth/1, the network's signed HTTP: which bytes a hotkey signs, the headers that carry it, and the checks in their order.
 *
 * Pure: the caller brings the clock, the signature primitive and the scheme that it holds for each hotkey; it also
 * remembers nonces, after everything here has passed. Nonces are nanoseconds, beyond 2^53, so bigint from end to end.
 */
import { createHash } from "node:crypto";

import { AppError } from "./errors.ts";
import { Hotkey } from "./ids.ts";

const VERSION = "1";
const MAX_NONCE = 2n ** 64n - 1n;
const NANOSECONDS_PER_MS = 1_000_000n;

const HEADERS = {
  version: "X-Bittensor-Version",
  hotkey: "X-Bittensor-Hotkey",
  receiver: "X-Bittensor-Receiver",
  nonce: "X-Bittensor-Nonce",
  crypto: "X-Bittensor-Crypto",
  signature: "X-Bittensor-Signature",
} as const;

export type SignatureScheme = "sr25519" | "ed25519";

export interface SignedParts {
  readonly scheme: SignatureScheme;
  readonly method: string;
  /** The path as sent on the wire, percent-encoded, with `?query`. */
  readonly target: string;
  readonly body: Uint8Array;
  /** Unix time in nanoseconds. */
  readonly nonce: bigint;
  readonly sender: string;
  readonly receiver: string;
}

export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>;

export interface BtauthHeaders {
  readonly version: typeof VERSION;
  readonly hotkey: Hotkey;
  readonly receiver: Hotkey;
  readonly nonce: bigint;
  readonly scheme: SignatureScheme;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** In whole milliseconds. */
export interface FreshnessWindow {
  readonly maxAgeMs: number;
  readonly maxAheadMs: number;
}

export const DEFAULT_WINDOW: FreshnessWindow = { maxAgeMs: 10_000, maxAheadMs: 2_000 };

/** The bytes to sign: eight lines, no line break at the end, nothing wrapped around them. */
export function canonicalBytes(parts: SignedParts): Uint8Array {
  const lines = [
    `btauth/${VERSION}`,
    parts.scheme,
    parts.method.toUpperCase(),
    parts.target,
    createHash("sha256").update(parts.body).digest("hex"),
    parts.nonce.toString(),
    parts.sender,
    parts.receiver,
  ];
  return new TextEncoder().encode(lines.join("\n"));
}

/** The headers of a request; sign a new nonce for every attempt. */
export function signHeaders(parts: SignedParts, sign: (bytes: Uint8Array) => Uint8Array): Record<string, string> {
  return {
    [HEADERS.version]: VERSION,
    [HEADERS.hotkey]: parts.sender,
    [HEADERS.receiver]: parts.receiver,
    [HEADERS.nonce]: parts.nonce.toString(),
    ...(parts.scheme === "sr25519" ? {} : { [HEADERS.crypto]: parts.scheme }),
    [HEADERS.signature]: `0x${Buffer.from(sign(canonicalBytes(parts))).toString("hex")}`,
  };
}

/** The shape alone. Throws `auth-malformed`, or `auth-scheme-refused` for a scheme that we do not verify. */
export function parseHeaders(headers: RequestHeaders): BtauthHeaders {
  const sent = collect(headers);
  const read = (name: string) => readOnce(name, sent.get(name.toLowerCase()) ?? []);
  if (read(HEADERS.version) !== VERSION) throw malformed(HEADERS.version, `must be ${VERSION}`);
  return {
    version: VERSION,
    hotkey: readHotkey(HEADERS.hotkey, read(HEADERS.hotkey)),
    receiver: readHotkey(HEADERS.receiver, read(HEADERS.receiver)),
    nonce: readNonce(read(HEADERS.nonce)),
    scheme: sent.has(HEADERS.crypto.toLowerCase()) ? readScheme(read(HEADERS.crypto)) : "sr25519",
    signature: readSignature(read(HEADERS.signature)),
  };
}

/** Throws `auth-wrong-receiver`. */
export function checkReceiver(receiver: string, ours: string): void {
  if (receiver !== ours) {
    throw new AppError("auth-wrong-receiver", { message: `The request was signed for ${receiver}, this is ${ours}.` });
  }
}

/** Throws `auth-stale` or `auth-future`; both limits belong to the window. */
export function checkFreshness(nonce: bigint, nowMs: number, window: FreshnessWindow): void {
  const ageNs = BigInt(Math.floor(nowMs)) * NANOSECONDS_PER_MS - nonce;
  const details = { ageMs: Number(ageNs / NANOSECONDS_PER_MS) };
  if (ageNs > BigInt(window.maxAgeMs) * NANOSECONDS_PER_MS) {
    throw new AppError("auth-stale", { message: `The nonce is older than ${window.maxAgeMs} ms.`, details });
  }
  if (-ageNs > BigInt(window.maxAheadMs) * NANOSECONDS_PER_MS) {
    throw new AppError("auth-future", { message: `The nonce is more than ${window.maxAheadMs} ms ahead.`, details });
  }
}

export interface HeadOptions {
  readonly headers: RequestHeaders;
  /** Our own hotkey. */
  readonly receiver: string;
  readonly nowMs: number;
  readonly window: FreshnessWindow;
  /** What we hold for a hotkey, from configuration or chain; undefined for a stranger. */
  readonly schemeOf: (hotkey: Hotkey) => SignatureScheme | undefined;
}

/** What costs next to nothing: shape, receiver, freshness, stranger, scheme. Throws the `auth-` error of the first that fails. */
export function checkHead(options: HeadOptions): BtauthHeaders {
  const parsed = parseHeaders(options.headers);
  const { hotkey, receiver, nonce, scheme } = parsed;
  checkReceiver(receiver, options.receiver);
  checkFreshness(nonce, options.nowMs, options.window);
  const held = options.schemeOf(hotkey);
  if (held === undefined) throw new AppError("auth-hotkey-not-allowed");
  if (held !== scheme) throw new AppError("auth-scheme-refused", { message: `This hotkey signs with ${held} here.` });
  return parsed;
}

export interface VerifyOptions extends HeadOptions {
  readonly method: string;
  readonly target: string;
  readonly body: Uint8Array;
  /** Asked once the head is right; what it throws is the refusal, and saves the check of the signature. */
  readonly before?: (claim: { readonly hotkey: Hotkey; readonly nonce: bigint }) => void;
  readonly verify: (scheme: SignatureScheme, bytes: Uint8Array, signature: Uint8Array, hotkey: Hotkey) => boolean;
}

/**
 * The head, and only then the signature, which alone is expensive. Throws the `auth-` error of the first check that fails.
 * The caller still refuses a (hotkey, nonce) that it saw before.
 */
export function verifyRequest(options: VerifyOptions): { hotkey: Hotkey; nonce: bigint } {
  const { hotkey, receiver, nonce, scheme, signature } = checkHead(options);
  options.before?.({ hotkey, nonce });
  const { method, target, body } = options;
  const bytes = canonicalBytes({ scheme, method, target, body, nonce, sender: hotkey, receiver });
  if (!options.verify(scheme, bytes, signature, hotkey)) throw new AppError("auth-bad-signature");
  return { hotkey, nonce };
}

function malformed(header: string, must: string): AppError {
  return new AppError("auth-malformed", { message: `${header} ${must}.`, details: { header } });
}

/** Header names in lower case, with every value that was sent under each. */
function collect(headers: RequestHeaders): Map<string, string[]> {
  const sent = new Map<string, string[]>();
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    const key = name.toLowerCase();
    sent.set(key, [...(sent.get(key) ?? []), value].flat());
  }
  return sent;
}

function readOnce(header: string, values: readonly string[]): string {
  const [value] = values;
  if (value === undefined || values.length !== 1) throw malformed(header, "must be sent exactly once");
  return value;
}

function readHotkey(header: string, value: string): Hotkey {
  const hotkey = Hotkey.safeParse(value);
  if (!hotkey.success) throw malformed(header, "must be an ss58 address of format 42");
  return hotkey.data;
}

function readNonce(value: string): bigint {
  const nonce = /^(0|[1-9][0-9]{0,19})$/.test(value) ? BigInt(value) : undefined;
  if (nonce === undefined || nonce > MAX_NONCE) throw malformed(HEADERS.nonce, "must be unix nanoseconds in decimal");
  return nonce;
}

function readScheme(value: string): SignatureScheme {
  if (value === "sr25519" || value === "ed25519") return value;
  throw new AppError("auth-scheme-refused", { message: `${HEADERS.crypto} may be ed25519 or left out, for sr25519.` });
}

function readSignature(value: string): Uint8Array {
  if (!/^0x[0-9a-f]{128}$/.test(value)) throw malformed(HEADERS.signature, "must be 0x and 128 lower-case hex digits");
  return Buffer.from(value.slice(2), "hex");
}
