/**
 * The process that works on one GPU: a program of its own, so that a driver that hangs or crashes takes nothing else with it.
 * It proves one thing at a time and answers for it once.
 */
import type { z } from "zod";

import { hexBytes } from "../../protocol/challenge/bytes.ts";
import { questions } from "../../protocol/challenge/seeds.ts";
import { serveRequests } from "../gpus/children/serve.ts";
import { ProofError } from "./failure.ts";
import { chooseDevice, listDevices, OpenClDevice } from "./opencl/devices.ts";
import { loadOpenCl } from "./opencl/library.ts";
import { Session } from "./opencl/session.ts";
import { beginProof, type Proof } from "./proof.ts";
import { ProverRequest } from "./words.ts";

type Request = z.output<typeof ProverRequest>;

let session: Session | undefined;
let maxAllocationBytes = 0;
let proof: Proof | undefined;

serveRequests(async (body) => {
  try {
    return { ok: true, ...(await answer(ProverRequest.parse(body))) };
  } catch (error) {
    if (error instanceof ProofError) return { ok: false, code: error.code, detail: error.message };
    throw error;
  }
});

async function answer(request: Request): Promise<object> {
  switch (request.do) {
    case "devices":
      return { devices: listDevices(loadOpenCl(request.library)).map((device) => plain(device)) };
    case "open": {
      const opencl = loadOpenCl(request.library);
      const device = chooseDevice(listDevices(opencl), request.device);
      maxAllocationBytes = request.maxAllocationBytes ?? device.maxAllocationBytes;
      session = new Session(opencl, device);
      await session.build();
      return { device: plain(device) };
    }
    case "commit":
      return commit(request);
    case "answer": {
      const begun = proof;
      proof = undefined;
      if (session === undefined || begun === undefined)
        throw new ProofError("out-of-order", "Nothing is to be answered.");
      const result = await begun.answer(questions(request.reveal, request.gpu));
      session.releaseAll();
      return { result, kernelMs: session.takeTimes() };
    }
  }
}

async function commit({ task, seed }: Extract<Request, { do: "commit" }>): Promise<object> {
  if (session === undefined) throw new ProofError("out-of-order", "No device is open.");
  proof = undefined;
  session.releaseAll();
  try {
    proof = await beginProof({ session, task, seed: hexBytes(seed), maxAllocationBytes });
  } catch (error) {
    session.releaseAll();
    throw error;
  }
  return { roots: proof.roots, kernelMs: session.takeTimes() };
}

function plain(device: OpenClDevice): OpenClDevice {
  const { index, platform, name, driver, vendorId, isCpu, memoryBytes, maxAllocationBytes: most } = device;
  const { pciAddress, uuid } = device;
  return OpenClDevice.parse({
    index,
    platform,
    name,
    driver,
    vendorId,
    isCpu,
    memoryBytes,
    maxAllocationBytes: most,
    pciAddress,
    uuid,
  });
}
