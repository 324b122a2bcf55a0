/**
 * Running programs: what comes back, what is refused, and that nothing outlives its deadline.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { exec } from "../../../common/exec.ts";

const NODE = process.execPath;
const options = { signal: new AbortController().signal, timeoutMs: 10_000 };

describe("exec", () => {
  it("gives what the program wrote", async () => {
    const script = 'process.stdout.write("out ☃"); process.stderr.write("err")';

    expect(await exec(NODE, ["-e", script], options)).toEqual({ stdout: "out ☃", stderr: "err", exitCode: 0 });
  });

  it("passes arguments as they are: no shell looks at them", async () => {
    const args = ["$(id)", "a b", "'", "*", ";"];
    const script = "process.stdout.write(JSON.stringify(process.argv.slice(1)))";

    const { stdout } = await exec(NODE, ["-e", script, "--", ...args], options);

    expect(JSON.parse(stdout)).toEqual(args);
  });

  it("feeds the program's input, and closes it", async () => {
    const { stdout } = await exec("cat", [], { ...options, input: "fed" });

    expect(stdout).toBe("fed");
  });

  it("survives a program that does not read its input", async () => {
    await expect(exec("true", [], { ...options, input: "x".repeat(1_000_000) })).resolves.toMatchObject({
      exitCode: 0,
    });
  });

  it("gives the program the environment and the folder that were asked for, and nothing else", async () => {
    const { stdout } = await exec("/usr/bin/env", [], { ...options, env: { ONLY: "this" }, cwd: "/" });

    expect(stdout).toBe("ONLY=this\n");
    expect((await exec("pwd", [], { ...options, cwd: "/usr" })).stdout).toBe("/usr\n");
  });

  it("rejects a failing program with its status and what it complained of, but not with its arguments", async () => {
    const failing = exec("sh", ["-c", 'echo why >&2; exit 3 # "hidden"'], options);

    await expect(failing).rejects.toMatchObject({
      code: "command-failed",
      details: { file: "sh", exitCode: 3, stderr: "why\n" },
    });
    const error: unknown = await failing.catch((thrown: unknown) => thrown);
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain("hidden");
  });

  it("takes a status that the caller allows for an answer", async () => {
    const result = await exec("sh", ["-c", "exit 3"], { ...options, allowExitCodes: [0, 3] });

    expect(result.exitCode).toBe(3);
  });

  it("rejects a program that a signal ended, whatever is allowed", async () => {
    const failing = exec("sh", ["-c", "kill -9 $$"], { ...options, allowExitCodes: [0, 137] });

    await expect(failing).rejects.toMatchObject({ code: "command-failed", details: { exitSignal: "SIGKILL" } });
  });

  it("rejects a program that does not exist", async () => {
    await expect(exec("/no/such/program", [], options)).rejects.toMatchObject({
      code: "command-failed",
      details: { file: "/no/such/program" },
    });
  });

  it("ends a program that writes too much", async () => {
    await expect(exec("yes", [], { ...options, maxOutputBytes: 1_000 })).rejects.toMatchObject({
      code: "command-failed",
      message: "yes wrote more than 1000 bytes.",
    });
  });

  it("ends the program at the deadline, with everything that it started", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lium-exec-"));
    try {
      const args = ["-c", 'sleep 300 & echo $! >"$1"; wait', "sh", join(folder, "pid")];

      await expect(exec("sh", args, { ...options, timeoutMs: 500 })).rejects.toMatchObject({
        code: "deadline-exceeded",
      });

      await untilGone(Number(readFileSync(join(folder, "pid"), "utf8")));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("ends the program when the caller gives up, and says why", async () => {
    const abort = new AbortController();
    const running = exec("sleep", ["300"], { ...options, signal: abort.signal });
    abort.abort(new Error("changed my mind"));

    await expect(running).rejects.toThrow("changed my mind");
    await expect(exec("true", [], { ...options, signal: abort.signal })).rejects.toThrow("changed my mind");
  });
});

/** Fails with the test's time limit when the process stays; a zombie has ended. */
async function untilGone(pid: number): Promise<void> {
  for (;;) {
    const { stdout, exitCode } = await exec("ps", ["-o", "stat=", "-p", String(pid)], {
      ...options,
      allowExitCodes: [0, 1],
    });
    if (exitCode === 1 || stdout.startsWith("Z")) return;
  }
}
