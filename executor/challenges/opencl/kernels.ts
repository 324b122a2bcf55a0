/**
 * What runs on the GPU, in OpenCL C 1.2: whole numbers of 32 bits only, which every vendor's device computes alike. Matrices
 * are made as in protocol/challenge/matrix.ts, and walks go as in protocol/challenge/verify-memory.ts.
 */
import { GOLDEN, MIX_1, MIX_2 } from "../../../protocol/challenge/matrix.ts";
import { TILE } from "../../../protocol/challenge/task.ts";

/** Work items along each side of a group that multiplies. */
export const GROUP_SIDE = 16;
const DEPTH = 16;
const EACH = TILE / GROUP_SIDE;
/** Pieces of a matrix that a walk can go over. */
export const MAX_SLABS = 8;

export type KernelName = "fill" | "fill_listed" | "multiply" | "digest_rows" | "times_vectors" | "walk";
export const KERNELS: readonly KernelName[] = [
  "fill",
  "fill_listed",
  "multiply",
  "digest_rows",
  "times_vectors",
  "walk",
];

const PRIMES = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97].concat(
  [101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167, 173, 179, 181, 191, 193, 197, 199, 211, 223],
  [227, 229, 233, 239, 241, 251, 257, 263, 269, 271, 277, 281, 283, 293, 307, 311],
);

/** The first 32 bits behind the point. */
function fraction(value: number): string {
  return `${Math.floor((value - Math.floor(value)) * 2 ** 32)}u`;
}

const GENERATE = `
uint mix32(uint x) {
  x ^= x >> 16; x *= ${MIX_1}u;
  x ^= x >> 15; x *= ${MIX_2}u;
  return x ^ (x >> 16);
}

uint element(uint row_a, uint row_b, uint column) {
  uint x = column * ${GOLDEN}u + row_a;
  x ^= x >> 16; x *= ${MIX_1}u;
  x ^= (x >> 15) ^ row_b; x *= ${MIX_2}u;
  return x ^ (x >> 16);
}

__kernel void fill(__global uint *out, uint columns, uint first_row, uint first_column, uint key_a, uint key_b) {
  const size_t row = get_global_id(1), column = get_global_id(0);
  const uint r = first_row + (uint)row;
  out[row * columns + column] = element(mix32(r ^ key_a), mix32(r ^ key_b), first_column + (uint)column);
}

__kernel void fill_listed(__global uint *out, uint columns, __global const uint *rows, uint first_column, uint key_a, uint key_b) {
  const size_t row = get_global_id(1), column = get_global_id(0);
  const uint r = rows[row];
  out[row * columns + column] = element(mix32(r ^ key_a), mix32(r ^ key_b), first_column + (uint)column);
}
`;

/** Each group makes a tile of C, each of its items a square of that tile, from strips that lie in the group's own memory. */
const MULTIPLY = `
__kernel __attribute__((reqd_work_group_size(${GROUP_SIDE}, ${GROUP_SIDE}, 1)))
void multiply(__global const uint *a, __global const uint *b, __global uint *c, uint columns, uint depth, uint first_row, uint add) {
  __local uint strip_a[${DEPTH}][${TILE} + 1], strip_b[${DEPTH}][${TILE}];
  const uint x = get_local_id(0), y = get_local_id(1), item = y * ${GROUP_SIDE} + x;
  const size_t row = first_row + get_group_id(1) * ${TILE}, column = get_group_id(0) * ${TILE};
  uint sum[${EACH}][${EACH}];
  for (uint i = 0; i < ${EACH}; i++)
    for (uint j = 0; j < ${EACH}; j++)
      sum[i][j] = add ? c[(row + y * ${EACH} + i) * columns + column + x + j * ${GROUP_SIDE}] : 0;
  for (uint from = 0; from < depth; from += ${DEPTH}) {
    for (uint k = item; k < ${TILE * DEPTH}; k += ${GROUP_SIDE ** 2}) {
      strip_a[k % ${DEPTH}][k / ${DEPTH}] = a[(row + k / ${DEPTH}) * depth + from + k % ${DEPTH}];
      strip_b[k / ${TILE}][k % ${TILE}] = b[(size_t)(from + k / ${TILE}) * columns + column + k % ${TILE}];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint d = 0; d < ${DEPTH}; d++) {
      uint left[${EACH}], right[${EACH}];
      for (uint i = 0; i < ${EACH}; i++) left[i] = strip_a[d][y * ${EACH} + i];
      for (uint j = 0; j < ${EACH}; j++) right[j] = strip_b[d][x + j * ${GROUP_SIDE}];
      for (uint i = 0; i < ${EACH}; i++)
        for (uint j = 0; j < ${EACH}; j++) sum[i][j] += left[i] * right[j];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  for (uint i = 0; i < ${EACH}; i++)
    for (uint j = 0; j < ${EACH}; j++)
      c[(row + y * ${EACH} + i) * columns + column + x + j * ${GROUP_SIDE}] = sum[i][j];
}

__kernel void times_vectors(__global const uint *c, uint columns, __global const uint4 *vectors, __global uint4 *product) {
  const size_t row = get_global_id(0);
  uint4 sum = (uint4)(0);
  for (uint column = 0; column < columns; column++) sum += c[row * columns + column] * vectors[column];
  product[row] = sum;
}
`;

/** SHA-256 of each row's bytes. A row is a multiple of 64 bytes, so the padding is a block of its own. */
const DIGEST = `
#define TURN(x, n) rotate(x, (uint)(32 - n))

__constant uint ROUND_WORDS[64] = { ${PRIMES.map((prime) => fraction(Math.cbrt(prime))).join(", ")} };

uint swapped(uint x) {
  return (x << 24) | ((x & 0xff00u) << 8) | ((x >> 8) & 0xff00u) | (x >> 24);
}

__kernel void digest_rows(__global const uint *c, uint columns, __global uint *digests) {
  const size_t row = get_global_id(0);
  uint h[8] = { ${PRIMES.slice(0, 8)
    .map((prime) => fraction(Math.sqrt(prime)))
    .join(", ")} };
  for (uint block = 0; block <= columns / 16; block++) {
    uint w[16], s[8];
    for (uint i = 0; i < 16; i++)
      w[i] = block < columns / 16 ? swapped(c[row * columns + block * 16 + i]) : i == 0 ? 0x80000000u : i == 15 ? columns * 32 : 0;
    for (uint i = 0; i < 8; i++) s[i] = h[i];
    for (uint i = 0; i < 64; i++) {
      if (i >= 16) {
        const uint p = w[(i + 1) & 15], q = w[(i + 14) & 15];
        w[i & 15] += (TURN(p, 7) ^ TURN(p, 18) ^ (p >> 3)) + w[(i + 9) & 15] + (TURN(q, 17) ^ TURN(q, 19) ^ (q >> 10));
      }
      const uint one = s[7] + (TURN(s[4], 6) ^ TURN(s[4], 11) ^ TURN(s[4], 25)) + bitselect(s[6], s[5], s[4]) + ROUND_WORDS[i] + w[i & 15];
      const uint two = (TURN(s[0], 2) ^ TURN(s[0], 13) ^ TURN(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
      s[7] = s[6]; s[6] = s[5]; s[5] = s[4]; s[4] = s[3] + one;
      s[3] = s[2]; s[2] = s[1]; s[1] = s[0]; s[0] = one + two;
    }
    for (uint i = 0; i < 8; i++) h[i] += s[i];
  }
  for (uint i = 0; i < 8; i++) digests[row * 8 + i] = swapped(h[i]);
}
`;

const slabs = Array.from({ length: MAX_SLABS }, (_, index) => `slab${index}`);

/** Steps `from` to `to` of every walk; the first launch begins them. */
const WALK = `
__kernel void walk(${slabs.map((slab) => `__global const uint *${slab}`).join(", ")}, uint slab_rows, uint rows, uint columns,
                   uint from, uint to, uint key_a, uint key_b, __global uint *states) {
  const uint walker = get_global_id(0), own = mix32(walker ^ key_b);
  uint state = from == 0 ? mix32(walker ^ key_a) : states[walker];
  for (uint step = from; step < to; step++) {
    const uint row = state % rows, column = mix32(state ^ own) % columns;
    __global const uint *slab = slab0;
    switch (row / slab_rows) {
${slabs.map((slab, index) => `      case ${index}: slab = ${slab}; break;`).join("\n")}
    }
    state = mix32((state ^ slab[(size_t)(row % slab_rows) * columns + column]) + own + step * ${GOLDEN}u);
  }
  states[walker] = state;
}
`;

export const SOURCE = [GENERATE, MULTIPLY, DIGEST, WALK].join("\n");
