/**
 * Log lines wait for slow readers up to a limit, and never for readers who have left.
 */
import { describe, expect, it } from "vitest";

import { LogStreams } from "../../../../agent/link/log-streams.ts";
import type { ToExecutor } from "../../../../protocol/link.ts";
import { podId } from "../../../support/builders.ts";

const QUERY = { follow: true, tail: 0 };
const NEVER = new AbortController().signal;

function lines(count: number, bytes: number) {
  return Array.from({ length: count }, () => ({ at: "", stream: "stdout" as const, line: "x".repeat(bytes) }));
}

function opened() {
  const sent: ToExecutor[] = [];
  const streams = new LogStreams((frame) => sent.push(frame));
  const reader = streams.open(podId(1), QUERY, NEVER);
  return { sent, streams, reader };
}

describe("a log stream", () => {
  it("asks the host when it is first read", async () => {
    const { sent, streams, reader } = opened();

    const first = reader.next();
    streams.take({ type: "item", id: 1, lines: lines(1, 3) });

    expect(sent).toEqual([{ type: "logs", id: 1, podId: podId(1), query: QUERY }]);
    expect(await first).toMatchObject({ value: { line: "xxx" } });
  });

  it("lets a reader go that falls too far behind, and stops the host", async () => {
    const { sent, streams, reader } = opened();
    const first = reader.next();
    streams.take({ type: "item", id: 1, lines: lines(1, 1) });
    await first;

    for (let n = 0; n < 9; n += 1) streams.take({ type: "item", id: 1, lines: lines(1, 2 ** 20) });

    await expect(reader.next()).rejects.toMatchObject({ code: "log-reader-too-slow" });
    expect(sent.slice(1)).toEqual([{ type: "cancel", id: 1 }]);
  });

  it("counts lines without text too", async () => {
    const { sent, streams, reader } = opened();
    const first = reader.next();
    streams.take({ type: "item", id: 1, lines: lines(1, 1) });
    await first;

    for (let n = 0; n < 100; n += 1) streams.take({ type: "item", id: 1, lines: lines(1_000, 0) });

    await expect(reader.next()).rejects.toMatchObject({ code: "log-reader-too-slow" });
    expect(sent.at(-1)).toEqual({ type: "cancel", id: 1 });
  });

  it("lets the slowest reader go when all of them together hold too much", async () => {
    const { sent, streams } = opened();
    const readers = Array.from({ length: 20 }, () => streams.open(podId(1), QUERY, NEVER));
    const firsts = readers.map((reader) => reader.next());
    for (let id = 1; id <= 20; id += 1) streams.take({ type: "item", id, lines: lines(1, 1) });
    await Promise.all(firsts);

    for (let id = 1; id <= 20; id += 1) {
      const megabytes = id === 3 ? 1.9 : 1.65;
      streams.take({ type: "item", id, lines: lines(1, megabytes * 2 ** 20) });
    }

    expect(sent.filter(({ type }) => type === "cancel")).toEqual([{ type: "cancel", id: 3 }]);
    await expect(readers[2]?.next()).rejects.toMatchObject({ code: "log-reader-too-slow" });
    expect(await readers[5]?.next()).toMatchObject({ done: false });
  });

  it("has room again for what was read", async () => {
    const { streams, reader } = opened();
    const first = reader.next();

    for (let n = 0; n < 30; n += 1) {
      streams.take({ type: "item", id: 1, lines: lines(1, 2 ** 20) });
      await (n === 0 ? first : reader.next());
    }
    streams.take({ type: "done", id: 1 });

    expect(await reader.next()).toEqual({ done: true, value: undefined });
  });

  it("gives what has come before it tells that the connection was lost", async () => {
    const { streams, reader } = opened();
    const first = reader.next();
    streams.take({ type: "item", id: 1, lines: lines(2, 1) });
    streams.close();

    expect(await first).toMatchObject({ done: false });
    expect(await reader.next()).toMatchObject({ done: false });
    await expect(reader.next()).rejects.toMatchObject({ code: "host-unreachable" });
  });

  it("tells the host what was read, so that it goes on", async () => {
    const { sent, streams, reader } = opened();
    const first = reader.next();

    streams.take({ type: "item", id: 1, lines: lines(5, 100_000) });
    await first;
    await reader.next();

    expect(sent.slice(1)).toEqual([{ type: "read", id: 1, bytes: 200_256 }]);
  });

  it("ignores lines for readers who have left", async () => {
    const { sent, streams, reader } = opened();
    const first = reader.next();
    streams.take({ type: "item", id: 1, lines: lines(1, 1) });
    await first;
    await reader.return(undefined);

    streams.take({ type: "item", id: 1, lines: lines(1, 1) });

    expect(sent.map(({ type }) => type)).toEqual(["logs", "cancel"]);
  });
});
