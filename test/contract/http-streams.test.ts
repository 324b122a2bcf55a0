/** Streams and the close, over real connections. */
import { describe, expect, it } from "vitest";

import { DEFAULT_LIMITS } from "../../common/http-limits.ts";
import { AppError } from "../../protocol/errors.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { collect, connect, startSmallServer } from "../support/small-server.ts";

describe("a stream", () => {
  it("arrives item by item, while it goes on", async () => {
    const next = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { client } = await startSmallServer({
      handlers: {
        async *count() {
          yield { n: 0 };
          for (const [index, { promise }] of next.entries()) {
            await promise;
            yield { n: index + 1 };
          }
        },
      },
    });
    const items = client.count({})[Symbol.asyncIterator]();

    expect((await items.next()).value).toEqual({ n: 0 });
    next[0]?.resolve();
    expect((await items.next()).value).toEqual({ n: 1 });
    next[1]?.resolve();
    expect((await items.next()).value).toEqual({ n: 2 });
    expect((await items.next()).done).toBe(true);
  });

  it("that fails before its first item is a refusal with a status", async () => {
    const { client, url } = await startSmallServer({
      handlers: {
        async *count() {
          await Promise.reject(new AppError("pod-not-found"));
          yield { n: 1 };
        },
      },
    });

    expect((await fetch(`${url}/count`)).status).toBe(404);
    await expect(collect(client.count({}))).rejects.toMatchObject({ code: "pod-not-found" });
  });

  it.each([
    ["pod-not-found", new AppError("pod-not-found")],
    ["internal", new Error("secret path")],
  ])("that fails later ends with a line that says %s", async (code, failure) => {
    const { client, url } = await startSmallServer({
      handlers: {
        async *count() {
          yield { n: 1 };
          throw failure;
        },
      },
    });

    const lines = (await (await fetch(`${url}/count`)).text()).trim().split("\n");
    const items = client.count({})[Symbol.asyncIterator]();

    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[1] ?? "")).toMatchObject({ error: { code } });
    expect(lines[1]).not.toContain("secret");
    expect((await items.next()).value).toEqual({ n: 1 });
    await expect(items.next()).rejects.toMatchObject({ code });
  });

  it("without an item yet has its head, so that the reader knows it stands", async () => {
    const clock = new FakeClock();
    const { url } = await startSmallServer({
      clock,
      handlers: {
        async *count({ signal }) {
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          yield { n: 1 };
        },
      },
    });

    const head = fetch(`${url}/count`);
    await clock.untilSleeping();
    await clock.advance(500);

    const response = await head;
    expect(response.headers.get("content-type")).toBe("application/x-ndjson");
    await response.body?.cancel();
  });

  it("is told when the reader leaves", async () => {
    const left = Promise.withResolvers<void>();
    const { client } = await startSmallServer({
      handlers: {
        async *count({ signal }) {
          signal.addEventListener("abort", () => left.resolve());
          for (let n = 0; !signal.aborted; n += 1) {
            yield { n };
            await new Promise((resolve) => setImmediate(resolve));
          }
        },
      },
    });

    for await (const { n } of client.count({})) if (n === 3) break;

    await left.promise;
  });

  it("waits for a slow reader instead of piling up", async () => {
    let made = 0;
    const text = "x".repeat(100_000);
    const { port } = await startSmallServer({
      handlers: {
        async *count({ signal }) {
          for (; made < 2_000 && !signal.aborted; made += 1) yield { n: made, text };
        },
      },
    });
    const socket = connect(port, "GET /count HTTP/1.1\r\nHost: a\r\n\r\n");
    await new Promise((resolve) => socket.once("readable", resolve));

    let before = -1;
    while (made !== before) {
      before = made;
      for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    }

    expect(made).toBeGreaterThan(0);
    expect(made).toBeLessThan(500);
    socket.destroy();
  });

  it("drops a reader that takes nothing for too long, and tells the items", async () => {
    const over = Promise.withResolvers<void>();
    const text = "x".repeat(100_000);
    const { port } = await startSmallServer({
      limits: { ...DEFAULT_LIMITS, unreadMs: 50 },
      handlers: {
        async *count({ signal }) {
          signal.addEventListener("abort", () => over.resolve());
          for (let n = 0; ; n += 1) yield { n, text };
        },
      },
    });

    const socket = connect(port, "GET /count HTTP/1.1\r\nHost: a\r\n\r\n");
    socket.pause();

    await over.promise;
  });

  it("keeps a reader for whom there is nothing to read", async () => {
    const next = Promise.withResolvers<void>();
    const clock = new FakeClock();
    const { client } = await startSmallServer({
      clock,
      handlers: {
        async *count() {
          yield { n: 0 };
          await next.promise;
          yield { n: 1 };
        },
      },
    });
    const items = client.count({})[Symbol.asyncIterator]();
    await items.next();

    for (let look = 0; look < 5; look += 1) await clock.advance(DEFAULT_LIMITS.unreadMs);
    next.resolve();

    expect((await items.next()).value).toEqual({ n: 1 });
  });
});

describe("closing", () => {
  it("tells every handler, lets it answer, and ends idle connections", async () => {
    const entered = Promise.withResolvers<void>();
    const { server, client } = await startSmallServer({
      handlers: {
        double: ({ signal, body }) =>
          new Promise((resolve) => {
            signal.addEventListener("abort", () => resolve({ name: "late", n: body.n, loud: false }));
            entered.resolve();
          }),
      },
    });
    const answer = client.double({ params: { name: "a" }, body: { n: 1 } });
    await entered.promise;

    await server.close();

    await expect(answer).resolves.toMatchObject({ name: "late" });
  });

  it("does not wait for a handler that does not listen, nor for a reader that does not leave", async () => {
    const entered = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { server, client } = await startSmallServer({
      handlers: {
        double: () => {
          entered[0]?.resolve();
          return new Promise(() => undefined);
        },
        async *count() {
          yield { n: 1 };
          entered[1]?.resolve();
          await new Promise(() => undefined);
        },
      },
    });
    const once = client.double({ params: { name: "a" }, body: { n: 1 } }).catch((error: unknown) => error);
    const stream = collect(client.count({})).catch((error: unknown) => error);
    await Promise.all(entered.map(({ promise }) => promise));
    const before = performance.now();

    await server.close();

    expect(performance.now() - before).toBeLessThan(3_000);
    expect(await once).toMatchObject({ code: "connection-failed" });
    expect(await stream).toMatchObject({ code: "connection-failed" });
  });
});
