/**
 * A tar archive of a few small files, in memory.
 */
const BLOCK_BYTES = 512;
const CHECKSUM = { at: 148, length: 8 };

export interface TarFile {
  /** At most 100 bytes. */
  readonly path: string;
  readonly content: Uint8Array;
}

export function tarOf(files: readonly TarFile[]): Buffer {
  const entries = files.flatMap(({ path, content }) => {
    const padding = Buffer.alloc((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES);
    return [headerOf(path, content.length), content, padding];
  });
  return Buffer.concat([...entries, Buffer.alloc(2 * BLOCK_BYTES)]);
}

function headerOf(path: string, size: number): Buffer {
  const header = Buffer.alloc(BLOCK_BYTES);
  const [mode, uid, gid, bytes, mtime] = [octal(0o644, 7), octal(0, 7), octal(0, 7), octal(size, 11), octal(0, 11)];
  header.write(path, 0, 100);
  header.write(mode + uid + gid + bytes + mtime, 100);
  // The checksum is taken with blanks in its own place.
  header.write(" ".repeat(CHECKSUM.length), CHECKSUM.at);
  header.write("0", 156);
  header.write("ustar\u000000", 257);
  const checksum = header.reduce((sum, byte) => sum + byte, 0);
  header.write(`${octal(checksum, 6)} `, CHECKSUM.at);
  return header;
}

/** So many digits and what ends them. */
function octal(value: number, digits: number): string {
  return `${value.toString(8).padStart(digits, "0")}\0`;
}
