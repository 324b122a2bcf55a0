/** JSON or text, colour only where somebody sees it, and no word from outside that steers a terminal. */
import { describe, expect, it } from "vitest";

import { type CliHost, createOutput, EXIT, printable } from "../../../../common/cli/output.ts";
import { fields, table } from "../../../../common/cli/table.ts";
import { AppError } from "../../../../protocol/errors.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const COLOUR = "\u001B[31m";

function host(isTTY: boolean, env: CliHost["env"] = {}) {
  const written = { stdout: "", stderr: "" };
  const sink = (name: keyof typeof written) => ({ isTTY, write: (text: string) => (written[name] += text) });
  const world: CliHost = {
    stdout: sink("stdout"),
    stderr: sink("stderr"),
    env,
    clock: new FakeClock(),
    interrupted: () => AbortSignal.abort(),
  };
  return { world, written };
}

describe("output", () => {
  it("is one line of JSON with --json, and text without", () => {
    const { world, written } = host(true);

    createOutput(world, true).result({ a: 1 }, () => "text");
    createOutput(world, false).result({ a: 1 }, () => "text");

    expect(written.stdout).toBe('{"a":1}\ntext\n');
  });

  it.each([
    ["on a terminal", true, {}, true],
    ["in a pipe", false, {}, false],
    ["with NO_COLOR", true, { NO_COLOR: "1" }, false],
    ["with an empty NO_COLOR", true, { NO_COLOR: "" }, true],
  ])("%s is coloured: %s", (_, isTTY, env, isColoured) => {
    const { world, written } = host(isTTY, env);

    createOutput(world, false).result({}, (paint) => paint("red", "text"));

    expect(written.stdout.includes(COLOUR)).toBe(isColoured);
  });

  it("keeps notes from those who read JSON", () => {
    const { world, written } = host(true);

    createOutput(world, true).note("hello");

    expect(written).toEqual({ stdout: "", stderr: "" });
  });

  it("draws progress on a terminal alone", () => {
    expect(createOutput(host(true).world, false).progress).toBeDefined();
    expect(createOutput(host(true).world, true).progress).toBeUndefined();
    expect(createOutput(host(false).world, false).progress).toBeUndefined();
  });

  it("says of a failure its code, what it means and what to do, on stderr", () => {
    const { world, written } = host(false);
    const error = new AppError("pod-not-found", { message: "There is no pod \u001B[2Jx.", details: { near: "y" } });

    const code = createOutput(world, false).failure(error);

    expect(code).toBe(EXIT.failed);
    expect(written.stdout).toBe("");
    expect(written.stderr.split("\n")).toEqual([
      "error: There is no pod x. (pod-not-found)",
      "  Nothing was changed.",
      "  List your pods to see their ids.",
      '  near: "y"',
      "",
    ]);
  });

  it("says of a failure the same in JSON, and has an exit code of its own for a silent agent", () => {
    const { world, written } = host(false);

    const code = createOutput(world, true).failure(new AppError("connection-failed"));

    expect(code).toBe(EXIT.unreachable);
    expect(JSON.parse(written.stderr)).toMatchObject({
      error: { code: "connection-failed", remedy: expect.any(String) },
    });
  });
});

describe("text from elsewhere", () => {
  it("cannot move the cursor, break the line, ring or turn the direction of writing", () => {
    expect(printable("a\u001B[2J\u001B]0;title\u0007b\r\n\u0000\u202Ec\td")).toBe("abc\td");
  });

  it("keeps other scripts and signs", () => {
    expect(printable("für 日本 😀")).toBe("für 日本 😀");
  });
});

describe("a table", () => {
  const columns = [
    { title: "A", text: ({ a }: { a: string }) => a },
    { title: "LONG", text: () => "x" },
  ];

  it("lines its columns up, has a dash for nothing, and no blanks at the ends of lines", () => {
    expect(table([{ a: "1234" }, { a: "" }], columns, (_, text) => text)).toBe("A     LONG\n1234  x\n-     x");
  });

  it("has the same width with colours", () => {
    const painted = table(
      [{ a: "1" }],
      [{ title: "AAA", text: ({ a }) => a, style: () => "red" }, ...columns],
      (_, text) => `<${text}>`,
    );

    expect(painted.split("\n")[1]).toBe("<1  >  1  x");
  });

  it("of fields leaves out what has no value", () => {
    expect(
      fields(
        [
          ["a", "1"],
          ["bcd", undefined],
          ["ef", "2"],
          ["g", ""],
        ],
        (_, text) => text,
      ),
    ).toBe("a   1\nef  2");
  });
});
