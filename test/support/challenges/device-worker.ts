/**
 * A worker process that makes pieces of matrices on the first OpenCL device, whatever it is, and tells their words.
 */
import { z } from "zod";

import { listDevices } from "../../../executor/challenges/opencl/devices.ts";
import { loadOpenCl } from "../../../executor/challenges/opencl/library.ts";
import { Session } from "../../../executor/challenges/opencl/session.ts";
import { serveRequests } from "../../../executor/gpus/children/serve.ts";
import { encodeWords, wordsOf } from "../../../protocol/challenge/bytes.ts";

const Piece = z.strictObject({
  key: z.strictObject({ a: z.number(), b: z.number() }),
  row: z.number(),
  column: z.number(),
  rows: z.number(),
  columns: z.number(),
});

let opened: Promise<Session> | undefined;

serveRequests(async (body) => {
  const { key, row, column, rows, columns } = Piece.parse(body);
  const session = await (opened ??= open());
  const memory = session.allocate(4 * rows * columns);
  session.launch("fill", { args: [memory, columns, row, column, key.a, key.b], global: [columns, rows] });
  await session.settle();
  const words = encodeWords(wordsOf(await session.read(memory)));
  session.release(memory);
  return words;
});

async function open(): Promise<Session> {
  const opencl = loadOpenCl("libOpenCL.so.1");
  const session = new Session(opencl, listDevices(opencl)[0]!);
  await session.build();
  return session;
}
