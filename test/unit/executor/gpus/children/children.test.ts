/** Children that hang or crash cost their deadline and nothing else, and never pile up. */
import { fileURLToPath } from "node:url";

import { afterEach, describe, expect, it } from "vitest";

import { systemClock } from "../../../../../common/clock.ts";
import { DoomedChildren } from "../../../../../executor/gpus/children/doomed.ts";
import { linuxGroups, type ProcessGroups } from "../../../../../executor/gpus/children/groups.ts";
import { runTool, type ToolOutcome } from "../../../../../executor/gpus/children/tool.ts";
import { WorkerProcess } from "../../../../../executor/gpus/children/worker-process.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";

const script = fileURLToPath(new URL("../../../../support/gpus/odd-worker.ts", import.meta.url));
const never = new AbortController().signal;
const clock = systemClock();
const opened: WorkerProcess[] = [];

afterEach(async () => {
  for (const worker of opened.splice(0)) await worker.close();
});

function doomedChildren(groups: ProcessGroups = linuxGroups()): DoomedChildren {
  return new DoomedChildren({ groups, clock });
}

function shell(line: string, doomed = doomedChildren(), timeoutMs = 5_000): Promise<ToolOutcome> {
  return runTool({ file: "/bin/sh", args: ["-c", line], timeoutMs, maxOutputBytes: 1000 }, doomed, never);
}

function worker(doomed = doomedChildren(), firstDelayMs = 0): WorkerProcess {
  const restart = { firstDelayMs, maxDelayMs: firstDelayMs };
  const made = new WorkerProcess(
    { name: "odd", script, args: [], env: {}, restart },
    { doomed, clock, random: () => 1 },
  );
  opened.push(made);
  return made;
}

describe("a tool", () => {
  it("keeps its output and its exit status, whatever that is", async () => {
    expect(await shell("echo good; echo bad >&2; exit 14")).toEqual({
      ok: true,
      exitCode: 14,
      stdout: "good\n",
      stderr: "bad\n",
    });
  });

  it("that is not there is absent", async () => {
    const run = { file: "no-such-tool", args: [], timeoutMs: 1000 };

    expect(await runTool(run, doomedChildren(), never)).toMatchObject({ ok: false, state: "absent" });
  });

  it("that ignores SIGTERM and sleeps is gone after its deadline, with what it started", async () => {
    const doomed = doomedChildren();
    const outcome = await shell("trap '' TERM; echo $$; (trap '' TERM; sleep 600) & sleep 600", doomed, 300);

    expect(outcome).toMatchObject({ ok: false, state: "probe-timeout" });
    expect(doomed.survivor).toBeUndefined();
  });

  it("that writes without end is ended", async () => {
    expect(await shell("while :; do echo aaaaaaaaaaaaaaaaaaaaaaa; done")).toMatchObject({ ok: false, state: "failed" });
  });

  it("is not started while an earlier one cannot be killed", async () => {
    const doomed = doomedChildren({ ...linuxGroups(), isGone: () => false });
    const first = await shell("sleep 600", doomed, 100);
    const second = await shell("echo started", doomed);

    expect(first).toMatchObject({ state: "probe-timeout" });
    expect(second).toMatchObject({
      ok: false,
      state: "probe-timeout",
      detail: expect.stringContaining("cannot be killed"),
    });
  });
});

describe("a worker", () => {
  it("answers, refuses, and tells what nobody asked", async () => {
    const odd = worker();
    const heard = new Promise((resolve) => odd.onEvent(resolve));

    expect(await odd.request({ a: 1 }, 5_000, never)).toEqual({ ok: true, value: { a: 1 } });
    expect(await odd.request("refuse", 5_000, never)).toEqual({ ok: false, why: "refused", detail: "I will not." });
    await odd.request("tell", 5_000, never);
    expect(await heard).toBe("unasked");
  });

  it("that hangs is killed at the deadline, and the next request has a fresh one", async () => {
    const doomed = doomedChildren();
    const odd = worker(doomed);
    await odd.request("warm", 5_000, never);
    const hung = odd.pid;
    const [lost, other] = await Promise.all([odd.request("hang", 300, never), odd.request("never", 5_000, never)]);

    expect(lost).toMatchObject({ ok: false, why: "timeout" });
    expect(other).toMatchObject({ ok: false, why: "crashed" });
    expect(doomed.survivor).toBeUndefined();
    expect(await odd.request("again", 5_000, never)).toEqual({ ok: true, value: "again" });
    expect(odd.pid).not.toBe(hung);
  });

  it("that crashes again and again says how, and rests before the next start", async () => {
    const odd = worker(doomedChildren(), 60_000);
    await odd.request("crash", 5_000, never);

    expect(await odd.request("crash", 5_000, never)).toMatchObject({
      why: "crashed",
      detail: expect.stringContaining("SIGSEGV"),
    });
    expect(await odd.request("again", 5_000, never)).toMatchObject({
      why: "resting",
      detail: expect.stringContaining("SIGSEGV"),
    });
  });

  it("is not started while an earlier one cannot be killed", async () => {
    const doomed = doomedChildren({ ...linuxGroups(), isGone: () => false });
    const odd = worker(doomed);
    await odd.request("hang", 300, never);

    expect(await odd.request("again", 5_000, never)).toMatchObject({ ok: false, why: "timeout" });
    expect(odd.pid).toBeUndefined();
  });

  it("ends when it is closed", async () => {
    const odd = worker();
    await odd.request("warm", 5_000, never);
    const { pid = 0 } = odd;
    await odd.close();

    expect(linuxGroups().isGone(pid)).toBe(true);
  });
});

describe("DoomedChildren", () => {
  it("forgets a child as soon as it has gone", async () => {
    let gone = false;
    const fake = new FakeClock();
    const doomed = new DoomedChildren({ groups: { kill: () => undefined, isGone: () => gone }, clock: fake });
    const ended = doomed.end({ pid: 42, what: "it" });
    await fake.advance(600);
    await ended;

    expect(doomed.survivor).toEqual({ pid: 42, what: "it" });
    gone = true;
    expect(doomed.survivor).toBeUndefined();
  });
});
