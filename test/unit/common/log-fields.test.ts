/** Fields come out as plain data: nothing secret by name, errors with their causes, and an end to every depth. */
import { describe, expect, it } from "vitest";

import { loggable } from "../../../common/log-fields.ts";
import { AppError } from "../../../protocol/errors.ts";

describe("log fields", () => {
  it.each([
    "authorization",
    "Authorization",
    "password",
    "registryPassword",
    "joinToken",
    "join_token",
    "X-Registry-Auth",
    "secrets",
    "env",
    "sealedEnv",
    "environment",
    "credentials",
    "privateKey",
    "mnemonic",
    "set-cookie",
  ])("%s is redacted at any depth", (name) => {
    const shown = JSON.stringify(loggable({ [name]: "hidden", request: { list: [{ [name]: { deeper: "hidden" } }] } }));

    expect(shown).not.toContain("hidden");
    expect(shown.match(/\[redacted\]/g)).toHaveLength(2);
  });

  it.each(["podId", "hotkey", "publicKey", "image", "environments.seen", "tokenised"])("%s is shown", (name) => {
    expect(loggable({ [name]: "shown" })).toEqual({ [name]: "shown" });
  });

  it("an error shows its type, message, stack, own fields and causes, and redacts inside them", () => {
    const cause = Object.assign(new Error("no route"), { code: "ENETUNREACH" });
    const error = new AppError("engine-error", {
      message: "the call failed",
      details: { token: "hidden", id: 7 },
      cause,
    });

    const shown = loggable({ error });

    expect(shown).toMatchObject({
      error: {
        type: "AppError",
        code: "engine-error",
        message: "the call failed",
        details: { token: "[redacted]", id: 7 },
        stack: expect.stringContaining("AppError: the call failed"),
        cause: { type: "Error", message: "no route", code: "ENETUNREACH" },
      },
    });
  });

  it("an aggregate error shows all its errors", () => {
    const error = new AggregateError([new Error("v4"), new Error("v6")], "both failed");

    expect(loggable({ error })).toMatchObject({ error: { errors: [{ message: "v4" }, { message: "v6" }] } });
  });

  it("what JSON cannot hold is spelled out", () => {
    const shown = loggable({
      big: 2n ** 70n,
      bytes: Buffer.from("abc"),
      map: new Map([["token", "hidden"]]),
      set: new Set([1, 2]),
      date: new Date(0),
      noDate: new Date(Number.NaN),
      client: new AbortController(),
      bare: Object.create(null),
    });

    expect(shown).toEqual({
      big: "1180591620717411303424",
      bytes: "[3 bytes]",
      map: { token: "[redacted]" },
      set: [1, 2],
      date: "1970-01-01T00:00:00.000Z",
      noDate: "[no date]",
      client: "[AbortController]",
      bare: {},
    });
  });

  it("a circle and a very long text come to an end", () => {
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;

    const shown = JSON.stringify(loggable({ circle, text: "x".repeat(1_000_000) }));

    expect(shown).toContain("[too deep]");
    expect(shown.length).toBeLessThan(10_000);
  });
});
