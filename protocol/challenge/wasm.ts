/**
 * A WebAssembly module of two small loops over four words at a time, written out byte by byte: what makes the verifier fast
 * enough on one core. It holds no more than the loops; their tests prove them equal to plain arithmetic.
 */
import { GOLDEN, MIX_1, MIX_2 } from "./matrix.ts";

/** Bytes, grouped as they belong together. */
type Code = number | readonly Code[];

const I32 = 0x7f;
const V128 = 0x7b;
const END = 0x0b;
const WORD = 4;
/** Words of a 128-bit register. */
const LANES = 4;
const REGISTER = LANES * WORD;

export const VECTORS = 4;
/** Where each loop leaves its sums: four words for each vector. */
export const RESULT_AT = 0;
/** Where the operands begin. */
export const OPERANDS_AT = VECTORS * REGISTER;

const I32_ADD = 0x6a;
const I32_MUL = 0x6c;
const SPLAT: Code = [0xfd, 0x11];
const XOR: Code = [0xfd, 0x51];
const SHIFT_RIGHT: Code = [0xfd, unsigned(0xad)];
const ADD: Code = [0xfd, unsigned(0xae)];
const MULTIPLY: Code = [0xfd, unsigned(0xb5)];

/** `rowTimesVectors(rowA, rowB, columns, planeBytes)` and `rowTimesColumn(rowA, rowB, column, length, planeBytes)`. */
export function verifierModule(): Uint8Array<ArrayBuffer> {
  const sections: Code = [
    [1, sized(vector([functionType(4), functionType(5)]))],
    [2, sized(vector([[text("env"), text("memory"), 0x02, 0x00, 0x01]]))],
    [3, sized(vector([0, 1]))],
    [7, sized(vector([exported("rowTimesVectors", 0), exported("rowTimesColumn", 1)]))],
    [10, sized(vector([sized(rowTimesVectors()), sized(rowTimesColumn())]))],
  ];
  return Uint8Array.from(flat([[0x00, 0x61, 0x73, 0x6d], [0x01, 0x00, 0x00, 0x00], sections]));
}

/** The sums of one generated row times each of four vectors, which lie in planes one behind the other. */
function rowTimesVectors(): Code {
  const [rowA, rowB, columns, planeBytes] = [0, 1, 2, 3];
  const [at, end, position, x, keyB, sums] = [4, 5, 6, 7, 8, 9];
  const vectors = Array.from({ length: VECTORS }, (_, index) => index);
  return [
    locals([2, I32], [3 + VECTORS, V128]),
    [get(columns), i32(WORD), I32_MUL, set(end)],
    [lanesOf(GOLDEN), get(rowA), SPLAT, ADD, set(position)],
    [get(rowB), SPLAT, set(keyB)],
    loopUntil(at, end, [
      mixed({ from: get(position), key: get(keyB), into: x }),
      vectors.map((vectorIndex) => [
        [get(x), get(at), i32(vectorIndex), get(planeBytes), I32_MUL, I32_ADD, load(OPERANDS_AT), MULTIPLY],
        [get(sums + vectorIndex), ADD, set(sums + vectorIndex)],
      ]),
      nextPosition(position),
    ]),
    vectors.map((index) => [i32(RESULT_AT), get(sums + index), store(REGISTER * index)]),
    END,
  ];
}

/** The sum of one generated row times one column of a generated matrix, whose rows' keys lie in two planes. */
function rowTimesColumn(): Code {
  const [rowA, rowB, column, length, planeBytes] = [0, 1, 2, 3, 4];
  const [at, end, position, x, keyB, place, y, sum] = [5, 6, 7, 8, 9, 10, 11, 12];
  return [
    locals([2, I32], [6, V128]),
    [get(length), i32(WORD), I32_MUL, set(end)],
    [lanesOf(GOLDEN), get(rowA), SPLAT, ADD, set(position)],
    [get(rowB), SPLAT, set(keyB)],
    [get(column), i32(GOLDEN), I32_MUL, SPLAT, set(place)],
    loopUntil(at, end, [
      mixed({ from: get(position), key: get(keyB), into: x }),
      mixed({
        from: [get(place), get(at), load(OPERANDS_AT), ADD],
        key: [get(at), get(planeBytes), I32_ADD, load(OPERANDS_AT)],
        into: y,
      }),
      [get(x), get(y), MULTIPLY, get(sum), ADD, set(sum)],
      nextPosition(position),
    ]),
    [i32(RESULT_AT), get(sum), store(0)],
    END,
  ];
}

/** `element` of matrix.ts for four columns. */
function mixed({ from, key, into }: { from: Code; key: Code; into: number }): Code {
  const fold = (bits: number): Code => [get(into), get(into), i32(bits), SHIFT_RIGHT, XOR];
  return [
    [from, set(into)],
    [fold(16), i32(MIX_1), SPLAT, MULTIPLY, set(into)],
    [fold(15), key, XOR, i32(MIX_2), SPLAT, MULTIPLY, set(into)],
    [fold(16), set(into)],
  ];
}

function nextPosition(position: number): Code {
  return [get(position), i32(Math.imul(LANES, GOLDEN)), SPLAT, ADD, set(position)];
}

/** Runs `body` with `at` = 0, 16, 32 and so on below `end`. */
function loopUntil(at: number, end: number, body: Code): Code {
  const forth = [get(at), i32(REGISTER), I32_ADD, 0x22, unsigned(at)];
  return [0x03, 0x40, body, forth, get(end), 0x49, 0x0d, 0x00, END];
}

/** 0, 1, 2 and 3 times `factor`. */
function lanesOf(factor: number): Code {
  const words = Uint32Array.from({ length: LANES }, (_, lane) => Math.imul(lane, factor));
  return [0xfd, 0x0c, [...new Uint8Array(words.buffer)]];
}

function get(local: number): Code {
  return [0x20, unsigned(local)];
}

function set(local: number): Code {
  return [0x21, unsigned(local)];
}

function i32(value: number): Code {
  return [0x41, signed(value)];
}

function load(offset: number): Code {
  return [0xfd, 0x00, 0x04, unsigned(offset)];
}

function store(offset: number): Code {
  return [0xfd, 0x0b, 0x04, unsigned(offset)];
}

function functionType(parameters: number): Code {
  return [0x60, vector(Array.from({ length: parameters }, () => I32)), vector([])];
}

function exported(name: string, index: number): Code {
  return [text(name), 0x00, index];
}

function locals(...groups: readonly (readonly [number, number])[]): Code {
  return vector(groups.map(([count, type]) => [unsigned(count), type]));
}

function vector(items: readonly Code[]): Code {
  return [unsigned(items.length), items];
}

function sized(code: Code): Code {
  const bytes = flat(code);
  return [unsigned(bytes.length), bytes];
}

function text(name: string): Code {
  return sized([...Buffer.from(name)]);
}

/** LEB128. */
function unsigned(value: number): Code {
  const low = value & 0x7f;
  return value < 0x80 ? low : [low | 0x80, unsigned(value >>> 7)];
}

function signed(value: number): Code {
  const word = value | 0;
  const low = word & 0x7f;
  const rest = word >> 7;
  const ends = rest === ((low & 0x40) === 0 ? 0 : -1);
  return ends ? low : [low | 0x80, signed(rest)];
}

function flat(code: Code): number[] {
  return typeof code === "number" ? [code] : code.flatMap(flat);
}
