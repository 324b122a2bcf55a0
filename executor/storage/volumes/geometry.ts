/**
 * How large a file must be so that an ext4 in it offers what was promised: not less, and at most one percent more. Pure.
 *
 * What ext4 keeps for itself is counted as mkfs.ext4 lays it out with the options here; a test asks mkfs.ext4.
 */

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const BLOCK = 4096;
const GROUP = 32_768 * BLOCK;
const BYTES_PER_INODE = 16_384;
const INODE = 256;
const GROUP_DESCRIPTOR = 64;
/** So many blocks of descriptors are kept free in every copy of the superblock, for a file system that grows. */
const MOST_SPARE_DESCRIPTORS = 1024;
/** The kernel keeps 2 %, at most 16 MiB, to be able to write what it has promised. */
const KERNEL_RESERVE = { share: 0.02, most: 16 * MIB };
/** What the last, shorter group may lose. */
const MARGIN_SHARE = 0.002;
const STEP = 256 * 1024;

/** `madeBytes`: the size that the volume was made with; some of what ext4 keeps for itself does not change when it grows. */
export function imageBytesFor(sizeBytes: number, madeBytes: number): number {
  const fixed = journalBytes(madeBytes);
  const spare = spareDescriptors(groupsIn(rounds(madeBytes, (image) => overhead(image, { fixed, spare: 0 }))));
  const image = rounds(sizeBytes, (bytes) => overhead(bytes, { fixed, spare }));
  return Math.ceil((image * (1 + MARGIN_SHARE)) / STEP) * STEP;
}

/** Arguments for mkfs.ext4 but the file. Nothing is discarded: what was set aside for the file stays its own. */
export function mkfsOptions(madeBytes: number, encrypted: boolean): string[] {
  const journal = journalBytes(madeBytes) / MIB;
  const layout = `-q -F -b ${BLOCK} -m 0 -I ${INODE} -i ${BYTES_PER_INODE} -J size=${journal}`;
  const features = encrypted ? "64bit,resize_inode,encrypt" : "64bit,resize_inode";
  return `${layout} -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 -O ${features}`.split(" ");
}

/** Each round counts what the round before has added; it settles after a few. */
function rounds(sizeBytes: number, overheadOf: (image: number) => number): number {
  let image = sizeBytes;
  for (let round = 0; round < 8; round++) image = sizeBytes + overheadOf(image);
  return image;
}

function overhead(image: number, { fixed, spare }: { readonly fixed: number; readonly spare: number }): number {
  const groups = groupsIn(image);
  const descriptors = Math.ceil((groups * GROUP_DESCRIPTOR) / BLOCK);
  const copies = superblockCopies(groups) * (1 + descriptors + spare) * BLOCK;
  const inodes = (image / BYTES_PER_INODE) * INODE;
  const bitmaps = groups * 2 * BLOCK;
  const kernel = Math.min(KERNEL_RESERVE.most, image * KERNEL_RESERVE.share);
  return fixed + copies + inodes + bitmaps + kernel;
}

function groupsIn(image: number): number {
  return Math.ceil(image / GROUP);
}

function spareDescriptors(groups: number): number {
  return Math.min(MOST_SPARE_DESCRIPTORS, (1024 * groups * GROUP_DESCRIPTOR) / BLOCK);
}

function journalBytes(madeBytes: number): number {
  if (madeBytes < GIB / 2) return 4 * MIB;
  if (madeBytes < 4 * GIB) return 16 * MIB;
  return madeBytes < 32 * GIB ? 64 * MIB : 128 * MIB;
}

/** In groups 0 and 1 and in the powers of 3, 5 and 7. */
function superblockCopies(groups: number): number {
  let copies = Math.min(groups, 2);
  for (const base of [3, 5, 7]) for (let group = base; group < groups; group *= base) copies++;
  return copies;
}
