/** One JSON line per event, below the level nothing, and no secret in any line. */
import { describe, expect, it } from "vitest";

import { createLogger, type LogLevel } from "../../../common/logger.ts";

function logging(level: LogLevel = "debug") {
  const lines: string[] = [];
  const log = createLogger({ name: "lium-test", level, output: { write: (line) => lines.push(line) } });
  return { log, lines, parsed: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe("the logger", () => {
  it("writes one JSON line with time, level, name, message and fields", () => {
    const { log, lines, parsed } = logging();

    log.info("a pod started", { podId: "p1", tookMs: 12 });

    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\{.*\}\n$/);
    expect(parsed()).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        level: "info",
        name: "lium-test",
        msg: "a pod started",
        podId: "p1",
        tookMs: 12,
      },
    ]);
  });

  it("writes nothing below its level, and nothing at all when silent", () => {
    const quiet = logging("warn");
    quiet.log.debug("no");
    quiet.log.info("no");
    quiet.log.warn("yes");
    quiet.log.error("yes");
    const silent = logging("silent");
    silent.log.error("no");

    expect(quiet.parsed().map(({ level }) => level)).toEqual(["warn", "error"]);
    expect(silent.lines).toEqual([]);
  });

  it("a child adds its fields, redacted, and shares the secrets of its parent", () => {
    const { log, lines, parsed } = logging();
    const child = log.child({ part: "pods", token: "hidden" }).child({ podId: "p1" });

    log.secrets.add("an open secret");
    child.info("it says an open secret");

    expect(parsed()).toMatchObject([{ part: "pods", podId: "p1", token: "[redacted]", msg: "it says [secret]" }]);
    expect(lines.join("")).not.toContain("hidden");
  });

  it("no spelling of a live secret is written, wherever it turns up", () => {
    const { log, lines } = logging();
    const secret = 'corr"ect\\horse\nbattery staple';
    log.secrets.add(secret);

    log.warn(`message ${secret}`, {
      text: secret,
      header: `Basic ${Buffer.from(`user:${secret}`).toString("base64")}`,
      body: JSON.stringify({ value: secret }),
      error: new Error(`failed for ${secret}`),
      [secret]: "as a name",
    });

    const written = lines.join("");
    expect(written).not.toMatch(/horse|battery|staple/);
    expect(written).not.toContain(Buffer.from("battery staple").toString("base64").slice(2, 16));
    expect(() => JSON.parse(written) as unknown).not.toThrow();
  });

  it("a released secret is text like any other", () => {
    const { log, lines } = logging();
    const release = log.secrets.add("no longer secret");

    release();
    log.info("no longer secret");

    expect(lines.join("")).toContain("no longer secret");
  });

  it("fields cannot replace the message, the level, the time or the name", () => {
    const { log, lines, parsed } = logging();

    log.info("the real one", { msg: "forged", level: "error", time: "never", name: "someone else" });

    expect(lines[0]?.match(/"(msg|level|time|name)":/g)).toHaveLength(4);
    expect(parsed()[0]).toMatchObject({ msg: "the real one", level: "info", name: "lium-test", level_: "error" });
  });
});
