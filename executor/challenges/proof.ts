/**
 * The two halves of a proof on one device: what is done before anything is revealed, and the one answer after.
 */
import { encodeWords } from "../../protocol/challenge/bytes.ts";
import { type MerkleTree, merkleTree, productDigests } from "../../protocol/challenge/merkle.ts";
import type { GpuResult, OpenedRow } from "../../protocol/challenge/messages.ts";
import { factors, nextSeed, type Questions } from "../../protocol/challenge/seeds.ts";
import type { ComputeTask, GpuTask, MemoryTask } from "../../protocol/challenge/task.ts";
import type { Session } from "./opencl/session.ts";
import { Product } from "./product.ts";

export interface Proof {
  /** As many as the task has rounds; none for `memory`. */
  readonly roots: readonly string[];
  answer(questions: Questions): Promise<GpuResult>;
}

export interface ProofOptions {
  readonly session: Session;
  readonly task: GpuTask;
  readonly seed: Uint8Array;
  readonly maxAllocationBytes: number;
}

export function beginProof({ session, task, seed, maxAllocationBytes }: ProofOptions): Promise<Proof> {
  const keepFactors = task.kind === "compute";
  const product = new Product(session, { shape: task, keepFactors, maxAllocationBytes });
  return task.kind === "compute" ? beginCompute(product, task, seed) : beginMemory(product, task, seed);
}

interface Round {
  readonly seed: Uint8Array;
  readonly tree: MerkleTree;
}

async function beginCompute(product: Product, task: ComputeTask, firstSeed: Uint8Array): Promise<Proof> {
  const rounds: Round[] = [];
  let seed = firstSeed;
  while (rounds.length < task.rounds) {
    await product.make(factors(seed));
    const tree = merkleTree(await product.digests());
    rounds.push({ seed, tree });
    seed = nextSeed(seed, tree.root.toString("hex"));
  }
  return {
    roots: rounds.map(({ tree }) => tree.root.toString("hex")),
    answer: async (questions) => {
      const last = rounds.length - 1;
      const timesVectors = await product.timesVectors(questions.vectors(last, task.columns));
      const opened: OpenedRow[][] = [];
      for (const [index, round] of rounds.entries()) {
        const rows = questions.rows(index, task.openings, task.rows);
        const shown =
          index === last ? await rowsHeld(product, rows) : await product.rowsMadeAnew(factors(round.seed), rows);
        opened.push(
          rows.map((row, place) => ({
            words: encodeWords(shown[place] ?? new Uint32Array()),
            path: round.tree.path(row).toString("base64"),
          })),
        );
      }
      return { kind: "compute", product: productDigests(timesVectors).toString("base64"), opened };
    },
  };
}

async function rowsHeld(product: Product, rows: readonly number[]): Promise<Uint32Array[]> {
  const shown: Uint32Array[] = [];
  for (const row of rows) shown.push(await product.row(row));
  return shown;
}

async function beginMemory(product: Product, { walkers, steps }: MemoryTask, seed: Uint8Array): Promise<Proof> {
  await product.make(factors(seed));
  return {
    roots: [],
    answer: async (questions) => {
      const ends = await product.walk({ walkers, steps, key: questions.walks() });
      return { kind: "memory", ends: encodeWords(ends) };
    },
  };
}
