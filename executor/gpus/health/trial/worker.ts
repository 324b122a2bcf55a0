/**
 * The process that tests one GPU: a product of matrices, and a walk over most of the memory, both checked here against what they
 * must be. A driver that hangs or crashes takes nothing else with it.
 */
import { randomBytes } from "node:crypto";

import { questions } from "../../../../protocol/challenge/seeds.ts";
import { type GpuTask, heldBytes, productFilling, shapeFilling } from "../../../../protocol/challenge/task.ts";
import { RIGHT, type Verdict, wrong } from "../../../../protocol/challenge/verdict.ts";
import { verifyCompute } from "../../../../protocol/challenge/verify-compute.ts";
import { verifyMemory } from "../../../../protocol/challenge/verify-memory.ts";
import { ProofError } from "../../../challenges/failure.ts";
import { chooseDevice, type FoundDevice, listDevices } from "../../../challenges/opencl/devices.ts";
import { loadOpenCl } from "../../../challenges/opencl/library.ts";
import { Session } from "../../../challenges/opencl/session.ts";
import { beginProof } from "../../../challenges/proof.ts";
import { serveRequests } from "../../children/serve.ts";
import { TrialRequest } from "./words.ts";

const MIB = 2 ** 20;
/** Of a GPU's memory; the driver keeps some for itself. */
const WALKED_SHARE = 0.8;
const MOST_MULTIPLIED_BYTES = 768 * MIB;
/** A processor that plays a GPU multiplies a thousand times slower. */
const ON_PROCESSOR = { walkedBytes: 16 * MIB, multipliedBytes: 3 * MIB };
const FOLLOWED_WALKS = 64;

serveRequests(async (body) => {
  try {
    return { ok: true, ...(await trial(TrialRequest.parse(body))) };
  } catch (error) {
    if (error instanceof ProofError) return { ok: false, code: error.code, detail: error.message };
    throw error;
  }
});

async function trial({ library, device }: ReturnType<typeof TrialRequest.parse>) {
  const opencl = loadOpenCl(library);
  const found = chooseDevice(listDevices(opencl), device);
  const session = new Session(opencl, found);
  await session.build();
  const said: string[] = [];
  for (const task of tasksFor(found)) {
    const verdict = await tryOut(task, session);
    if (!verdict.ok) return { right: false, message: `${task.kind}: ${verdict.detail}` };
    said.push(`${task.kind} over ${Math.round(heldBytes(task) / MIB)} MiB`);
  }
  return { right: true, message: `It passed ${said.join(" and ")}.` };
}

function tasksFor({ isCpu, memoryBytes }: FoundDevice): GpuTask[] {
  const walkedBytes = isCpu ? ON_PROCESSOR.walkedBytes : memoryBytes * WALKED_SHARE;
  const multipliedBytes = isCpu ? ON_PROCESSOR.multipliedBytes : Math.min(MOST_MULTIPLIED_BYTES, memoryBytes / 8);
  const [walked, multiplied] = [productFilling(walkedBytes, 256), shapeFilling(multipliedBytes)];
  return [
    ...(multiplied === undefined ? [] : [{ kind: "compute" as const, ...multiplied, rounds: 1, openings: 32 }]),
    ...(walked === undefined ? [] : [{ kind: "memory" as const, ...walked, walkers: 2 ** 16, steps: 256 }]),
  ];
}

async function tryOut(task: GpuTask, session: Session): Promise<Verdict> {
  const seed = randomBytes(32);
  const proof = await beginProof({ session, task, seed, maxAllocationBytes: session.device.maxAllocationBytes });
  const asked = questions({ commit: seed.toString("hex"), secret: randomBytes(32).toString("hex") }, "trial");
  const result = await proof.answer(asked);
  session.releaseAll();
  if (task.kind === "compute" && result.kind === "compute") {
    return verifyCompute({ task, seed, roots: proof.roots, questions: asked, result });
  }
  if (task.kind === "memory" && result.kind === "memory") {
    const which = { sample: FOLLOWED_WALKS, random: randomBytes(32) };
    return verifyMemory({ task, seed, questions: asked, result, ...which });
  }
  return task.kind === result.kind ? RIGHT : wrong("wrong-shape", "It answers something else.");
}
