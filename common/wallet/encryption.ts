/**
 * The three ways in which btcli has encrypted key files, told apart by how the file begins. Bytes in, bytes out.
 *
 * The slow derivations run on Node's own worker threads, never on the one that serves; NaCl's takes 512 MiB meanwhile.
 * Nothing says whether the password or the file is wrong, and no cause is kept: it could hold what was decrypted.
 */
import { argon2, createDecipheriv, createHmac, pbkdf2, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

import nacl from "tweetnacl";

import { AppError } from "../../protocol/errors.ts";

type Opener = (file: Buffer, password: string) => Promise<Buffer | undefined>;

const deriveArgon2 = promisify(argon2);
const derivePbkdf2 = promisify(pbkdf2);

const NACL_PREFIX = "$NACL";
/** The same salt for everybody: what keeps these files is the cost of each guess alone. */
const NACL_SALT = Buffer.from("137183dff15a09bc9c90b5518739e9b1", "hex");
const NACL_COST = { passes: 8, memory: 524_288, parallelism: 1, tagLength: 32 } as const;
const ANSIBLE_HEADER = /^\$ANSIBLE_VAULT;1\.[12];AES256(;[^\n]*)?\r?\n/;
const ANSIBLE_ROUNDS = 10_000;
const FERNET_SALT = "Iguesscyborgslikemyselfhaveatendencytobeparanoidaboutourorigins";
const FERNET_ROUNDS = 10_000_000;
const FERNET_HEAD_BYTES = 1 + 8 + 16;
const MAC_BYTES = 32;

const OPENERS: readonly { readonly prefix: string; readonly open: Opener }[] = [
  { prefix: NACL_PREFIX, open: openNacl },
  { prefix: "$ANSIBLE_VAULT", open: openAnsible },
  { prefix: "gAAAAA", open: openFernet },
];

export function isEncrypted(file: Buffer): boolean {
  return openerOf(file) !== undefined;
}

/** What is inside. Takes seconds. Throws `hotkey-file-invalid` when the password does not open it. */
export async function decryptKeyFile(file: Buffer, password: string): Promise<Buffer> {
  const inside = await openerOf(file)?.(file, password);
  if (inside !== undefined) return inside;
  throw new AppError("hotkey-file-invalid", {
    message: "The hotkey file is encrypted, and this password does not open it.",
  });
}

function openerOf(file: Buffer): Opener | undefined {
  return OPENERS.find(({ prefix }) => file.subarray(0, prefix.length).equals(Buffer.from(prefix)))?.open;
}

async function openNacl(file: Buffer, password: string): Promise<Buffer | undefined> {
  const sealed = file.subarray(NACL_PREFIX.length);
  const nonce = sealed.subarray(0, nacl.secretbox.nonceLength);
  if (nonce.length < nacl.secretbox.nonceLength) return undefined;
  const key = await deriveArgon2("argon2i", { ...NACL_COST, message: password, nonce: NACL_SALT });
  const inside = nacl.secretbox.open(sealed.subarray(nacl.secretbox.nonceLength), nonce, key);
  return inside === null ? undefined : Buffer.from(inside);
}

async function openAnsible(file: Buffer, password: string): Promise<Buffer | undefined> {
  const text = file.toString("latin1");
  const header = ANSIBLE_HEADER.exec(text)?.[0];
  if (header === undefined) return undefined;
  const lines = Buffer.from(text.slice(header.length).replace(/\s/g, ""), "hex").toString("latin1").split("\n");
  const [salt = Buffer.alloc(0), mac = Buffer.alloc(0), ciphertext = Buffer.alloc(0)] = lines.map((line) =>
    Buffer.from(line, "hex"),
  );
  const keys = await derivePbkdf2(password, salt, ANSIBLE_ROUNDS, 80, "sha256");
  if (!isMac(mac, keys.subarray(32, 64), ciphertext)) return undefined;
  return decipher("aes-256-ctr", { key: keys.subarray(0, 32), iv: keys.subarray(64), ciphertext }).then(unpad);
}

async function openFernet(file: Buffer, password: string): Promise<Buffer | undefined> {
  const token = Buffer.from(file.toString("latin1").trim(), "base64url");
  const [signed, mac] = [token.subarray(0, -MAC_BYTES), token.subarray(-MAC_BYTES)];
  if (signed.length <= FERNET_HEAD_BYTES) return undefined;
  const key = await derivePbkdf2(password, FERNET_SALT, FERNET_ROUNDS, 32, "sha256");
  if (!isMac(mac, key.subarray(0, 16), signed)) return undefined;
  const iv = signed.subarray(FERNET_HEAD_BYTES - 16, FERNET_HEAD_BYTES);
  return decipher("aes-128-cbc", { key: key.subarray(16), iv, ciphertext: signed.subarray(FERNET_HEAD_BYTES) });
}

function isMac(mac: Buffer, key: Buffer, signed: Buffer): boolean {
  return mac.length === MAC_BYTES && timingSafeEqual(mac, createHmac("sha256", key).update(signed).digest());
}

interface Enciphered {
  readonly key: Buffer;
  readonly iv: Buffer;
  readonly ciphertext: Buffer;
}

async function decipher(algorithm: string, { key, iv, ciphertext }: Enciphered): Promise<Buffer> {
  const cipher = createDecipheriv(algorithm, key, iv);
  return Buffer.concat([cipher.update(ciphertext), cipher.final()]);
}

/** Counter mode needs no padding; Ansible pads all the same. */
function unpad(padded: Buffer): Buffer {
  return padded.subarray(0, padded.length - (padded.at(-1) ?? 0));
}
