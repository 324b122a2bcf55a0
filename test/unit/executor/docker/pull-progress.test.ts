/** What the engine tells of a pull, as bytes: its words are taken as they come, in any order. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { createPullProgress } from "../../../../executor/docker/pull-progress.ts";

interface Message {
  readonly id?: string;
  readonly status: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

function downloading(id: string, current: number, total: number): Message {
  return { id, status: "Downloading", progressDetail: { current, total } };
}

function lastOf(messages: readonly Message[]) {
  const progress = createPullProgress();
  return messages.map((message) => progress(message)).findLast((sum) => sum !== undefined);
}

describe("the bytes of a pull", () => {
  it("are what every layer has downloaded of what it announced", () => {
    const sum = lastOf([
      downloading("a", 10, 100),
      downloading("b", 5, 50),
      { id: "a", status: "Download complete", progressDetail: {} },
    ]);

    expect(sum).toEqual({ doneBytes: 105, totalBytes: 150, totalIsFinal: true });
  });

  it("leave out layers that are here already", () => {
    const sum = lastOf([{ id: "a", status: "Already exists", progressDetail: {} }, downloading("b", 1, 10)]);

    expect(sum).toEqual({ doneBytes: 1, totalBytes: 10, totalIsFinal: true });
  });

  it("are not final while a layer waits for its turn", () => {
    const sum = lastOf([
      { id: "a", status: "Pulling fs layer" },
      { id: "b", status: "Pulling fs layer" },
      { id: "b", status: "Waiting" },
      downloading("a", 1, 10),
    ]);

    expect(sum).toEqual({ doneBytes: 1, totalBytes: 10, totalIsFinal: false });
  });

  it("keep the size of a layer whose download goes on where it broke off", () => {
    const sum = lastOf([
      downloading("a", 99_000, 300_000),
      { id: "a", status: "Retrying in 5 seconds" },
      downloading("a", 3_000, 200_000),
    ]);

    expect(sum).toEqual({ doneBytes: 103_000, totalBytes: 300_000, totalIsFinal: true });
  });

  it.each<unknown>([
    "not a message",
    undefined,
    { status: "Pulling from library/debian", id: "12" },
    { status: "Digest: sha256:00" },
    { status: "Downloading", id: 7 },
  ])("do not change with %j", (message) => {
    expect(createPullProgress()(message)).toBeUndefined();
  });

  it("are never negative, never more than the total, and the total never shrinks", () => {
    const message = fc.record({
      id: fc.constantFrom("a", "b", "c", "d"),
      status: fc.constantFrom(
        "Pulling fs layer",
        "Waiting",
        "Already exists",
        "Downloading",
        "Retrying in 5 seconds",
        "Verifying Checksum",
        "Download complete",
        "Extracting",
        "Pull complete",
      ),
      progressDetail: fc.record({
        current: fc.integer({ min: -1, max: 1_000 }),
        total: fc.integer({ min: -1, max: 1_000 }),
      }),
    });
    fc.assert(
      fc.property(fc.array(message), (messages) => {
        const progress = createPullProgress();
        let total = 0;
        for (const sum of messages.map((each) => progress(each)).filter((each) => each !== undefined)) {
          expect(sum.doneBytes).toBeGreaterThanOrEqual(0);
          expect(sum.doneBytes).toBeLessThanOrEqual(sum.totalBytes);
          expect(sum.totalBytes).toBeGreaterThanOrEqual(total);
          total = sum.totalBytes;
        }
      }),
    );
  });
});
