/** The order of checks, limits and refusals, over real connections. */
import { once } from "node:events";

import { describe, expect, it } from "vitest";

import { DEFAULT_LIMITS } from "../../common/http-limits.ts";
import { AppError } from "../../protocol/errors.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { connect, post, smallApi, type SmallServerOptions, startSmallServer, talk } from "../support/small-server.ts";

/** A route that is signed, and whose every head is refused. */
function signedDouble() {
  const heads: string[] = [];
  const routes = { ...smallApi, double: { ...smallApi.double, auth: "signed" as const } };
  const admit: SmallServerOptions["admit"] = ({ method, target }) => {
    heads.push(`${method} ${target}`);
    throw new AppError("auth-stale");
  };
  return { routes: routes as unknown as SmallServerOptions["routes"], heads, admit };
}

function fail(): never {
  throw new AppError("internal", { message: "not this far" });
}

describe("a request", () => {
  it("reaches its handler with parameters, query and body read by the schemas", async () => {
    const { client } = await startSmallServer();

    const answer = await client.double({ params: { name: "a b/ü" }, query: { loud: "true" }, body: { n: 21 } });

    expect(answer).toEqual({ name: "a b/ü", n: 42, loud: true });
  });

  it("carries the request's id in header and refusal, and each has its own", async () => {
    const { url } = await startSmallServer();

    const [first, second] = [await post(`${url}/nowhere`, ""), await post(`${url}/nowhere`, "")];

    expect(first.body["requestId"]).toBe(first.headers.get("x-request-id"));
    expect(first.body["requestId"]).not.toBe(second.body["requestId"]);
  });

  it("that does not fit is refused with the path of every issue, and the values are not repeated", async () => {
    const { url } = await startSmallServer();

    const { status, body } = await post(`${url}/double/toolong?loud=maybe`, '{"n":"hunter2","x":1}');

    expect(status).toBe(400);
    expect(body).toMatchObject({ code: "invalid-request", impact: "Nothing was changed." });
    const { issues } = body["details"] as { issues: { path: string }[] };
    expect(issues.map(({ path }) => path)).toEqual(["params.name", "query.loud", "body.n", "body"]);
    expect(JSON.stringify(body)).not.toContain("hunter2");
  });

  it.each(["{", '{"n":1}x', "\u{FEFF}{}x", "null", "[]", '"n"'])("with the body %s is invalid", async (text) => {
    const { url } = await startSmallServer();

    const { status, body } = await post(`${url}/double/a`, text);

    expect({ status, code: body["code"] }).toEqual({ status: 400, code: "invalid-request" });
  });

  it.each(["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8"])(
    "with the content type %s is read as JSON all the same",
    async (type) => {
      const { url } = await startSmallServer();

      const { body } = await post(`${url}/double/a`, '{"n":1}', { "content-type": type });

      expect(body).toEqual({ name: "a", n: 2, loud: false });
    },
  );

  it.each(["/", "/double", "/double/a/", "/COUNT", "/double/a/b", "/count/"])(
    "to %s, which is no route, is route-not-found",
    async (path) => {
      const { url } = await startSmallServer();

      expect(await post(url + path, "{}")).toMatchObject({ status: 404, body: { code: "route-not-found" } });
    },
  );

  it("with a path that cannot be decoded, or with a parameter without end, gets a refusal of ours", async () => {
    const { url } = await startSmallServer();

    expect(await post(`${url}/double/%zz`, "{}")).toMatchObject({ status: 400, body: { code: "invalid-request" } });
    expect((await post(`${url}/double/${"x".repeat(5_000)}`, "{}")).body).toHaveProperty("requestId");
  });

  it("that is no HTTP gets a refusal and is cut off", async () => {
    const { port } = await startSmallServer();

    const answer = await talk(port, "HELLO\r\n\r\n");

    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"code":"invalid-request"');
  });

  it("whose head does not arrive in time is cut off", async () => {
    const { port } = await startSmallServer({ limits: { ...DEFAULT_LIMITS, headMs: 50 } });

    expect(await talk(port, "GET /count HTTP/1.1\r\nHost: a\r\n")).toMatch(/^HTTP\/1\.1 400 /);
  });
});

describe("authentication", () => {
  it("sees the target and the body as they came, and every value of a header", async () => {
    const seen: unknown[] = [];
    const authenticate: SmallServerOptions["authenticate"] = ({ method, target, headers, body }) => {
      seen.push(method, target, headers["x-a"], Buffer.from(body).toString());
      return "somebody";
    };
    const { url } = await startSmallServer({ authenticate });

    await post(`${url}/double/%61?loud=%74rue`, ' {"n" : 1}', { "x-a": "1" });

    expect(seen).toEqual(["POST", "/double/%61?loud=%74rue", ["1"], ' {"n" : 1}']);
  });

  it("comes before the body is read as JSON", async () => {
    const { url } = await startSmallServer({
      authenticate: () => {
        throw new AppError("internal", { message: "not this far" });
      },
    });

    expect(await post(`${url}/double/a`, "{")).toMatchObject({ status: 500 });
  });
});

describe("the head of a request", () => {
  it("is looked at before the body is read, on signed routes alone", async () => {
    const { routes, heads, admit } = signedDouble();
    const { url } = await startSmallServer({ routes, admit, authenticate: () => fail() });
    const port = Number(new URL(url).port);

    const answer = await talk(port, "POST /double/a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");

    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(heads).toEqual(["POST /double/a"]);
    expect((await fetch(`${url}/count`)).status).toBe(500);
    expect(heads).toHaveLength(1);
  });

  it("that is refused, or too large a body, is not counted against the address", async () => {
    const { routes, admit } = signedDouble();
    const limits = { ...DEFAULT_LIMITS, bodyBytes: 100, perAddress: { perSecond: 0.05, burst: 1 } };
    const { url } = await startSmallServer({ routes, admit, limits });
    await post(`${url}/double/a`, "{}");
    await post(`${url}/double/a`, "x".repeat(101));

    expect((await fetch(`${url}/count`)).status).toBe(200);
    expect((await fetch(`${url}/count`)).status).toBe(429);
  });
});

describe("a limit", () => {
  it("of size refuses a body that is too large, announced or not, and asks nobody who sent it", async () => {
    let asked = 0;
    const { url, port } = await startSmallServer({
      limits: { ...DEFAULT_LIMITS, bodyBytes: 100 },
      authenticate: () => String((asked += 1)),
    });

    const announced = await post(`${url}/double/a`, "x".repeat(101));
    const chunk = `65\r\n${"x".repeat(0x65)}\r\n0\r\n\r\n`;
    const chunked = await talk(
      port,
      `POST /double/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`,
    );

    expect(announced).toMatchObject({ status: 413, body: { code: "body-too-large" } });
    expect(chunked).toMatch(/^HTTP\/1\.1 413 /);
    expect(asked).toBe(0);
  });

  it("of rate counts one address over all paths, says when to come back, and lets nothing through", async () => {
    let asked = 0;
    const { url } = await startSmallServer({
      limits: { ...DEFAULT_LIMITS, perAddress: { perSecond: 0.05, burst: 3 } },
      authenticate: () => String((asked += 1)),
    });
    await post(`${url}/double/a`, '{"n":1}');
    await post(`${url}/nowhere`, "");
    await post(`${url}/double/a`, "{");

    const [known, unknown] = [await post(`${url}/double/a`, '{"n":1}'), await post(`${url}/nowhere`, "")];

    for (const { status, headers, body } of [known, unknown]) {
      expect({ status, code: body["code"] }).toEqual({ status: 429, code: "rate-limited" });
      expect(Number(headers.get("retry-after"))).toBeGreaterThan(0);
    }
    expect(asked).toBe(2);
  });

  it("of connections is one for each address, and a connection that ends makes room", async () => {
    const { url, port } = await startSmallServer({ limits: { ...DEFAULT_LIMITS, connectionsPerAddress: 1 } });
    const held = connect(port, "POST /double/a HTTP/1.1\r\n");
    await once(held, "connect");

    await expect(post(`${url}/double/a`, '{"n":1}')).rejects.toThrow("fetch failed");

    held.destroy();
    await expect.poll(() => post(`${url}/double/a`, '{"n":1}').catch(() => undefined)).toMatchObject({ status: 200 });
  });

  it("of time answers for a handler that takes too long, and tells it", async () => {
    const clock = new FakeClock();
    let told: AbortSignal | undefined;
    const { client } = await startSmallServer({
      clock,
      handlers: { double: ({ signal }) => new Promise(() => void (told = signal)) },
    });

    const answer = client.double({ params: { name: "a" }, body: { n: 1 } }).catch((error: unknown) => error);
    await clock.untilSleeping();
    await clock.advance(DEFAULT_LIMITS.answerMs);

    expect(await answer).toMatchObject({ code: "deadline-exceeded" });
    expect(told?.aborted).toBe(true);
  });
});

describe("a handler that fails", () => {
  it("with a code of its route is answered in full", async () => {
    const { url } = await startSmallServer({
      handlers: {
        double: () => {
          throw new AppError("pod-not-found", { message: "There is no pod of that name.", details: { near: "b" } });
        },
      },
    });

    const { status, body } = await post(`${url}/double/a`, '{"n":1}');

    expect(status).toBe(404);
    expect(body).toEqual({
      code: "pod-not-found",
      message: "There is no pod of that name.",
      impact: "Nothing was changed.",
      remedy: "List your pods to see their ids.",
      requestId: expect.any(String),
      details: { near: "b" },
    });
  });

  it.each([new Error("secret path"), new AppError("gpu-taken", { message: "secret path" })])(
    "with anything else (%s) is internal: the reason is in the log and not in the answer",
    async (failure) => {
      const { url, logged } = await startSmallServer({ handlers: { double: () => Promise.reject(failure) } });

      const { status, body } = await post(`${url}/double/a`, '{"n":1}');

      expect({ status, code: body["code"] }).toEqual({ status: 500, code: "internal" });
      expect(JSON.stringify(body)).not.toContain("secret");
      const line = logged.find((one) => one.includes('"level":"error"'));
      expect(line).toContain("secret path");
      expect(line).toContain(String(body["requestId"]));
    },
  );

  it("with a 5xx code of its route keeps the code and nothing else", async () => {
    const failure = new AppError("host-unreachable", { message: "10.0.0.7 is down", details: { a: 1 } });
    const { url } = await startSmallServer({ handlers: { double: () => Promise.reject(failure) } });

    const { status, body } = await post(`${url}/double/a`, '{"n":1}');

    expect(status).toBe(503);
    expect(Object.keys(body)).toEqual(["code", "message", "impact", "remedy", "requestId"]);
    expect(JSON.stringify(body)).not.toContain("10.0.0.7");
  });
});
