/** Snapshots of volumes that somebody writes to. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it, onTestFinished } from "vitest";

import { linuxTools } from "../../executor/storage/volumes/linux-tools.ts";
import { pathsOf } from "../../executor/storage/volumes/record.ts";
import { until } from "../support/arena/wait.ts";
import { failureOf, ID, MINE, SIGNAL, volumesFolder } from "../support/volumes/harness.ts";

describe("snapshots", () => {
  it("hold the volume as it was at one instant, while somebody writes to it", async () => {
    const folder = await volumesFolder();
    const volumes = await folder.open();
    const path = await volumes.attach(MINE, SIGNAL);
    const loop = 'i=0; while :; do i=$((i+1)); echo $i >> "$1/first"; echo $i >> "$1/second"; done';
    const writer = spawn("sh", ["-c", loop, "sh", path]);
    onTestFinished(() => void writer.kill("SIGKILL"));
    const counted = async (name: string): Promise<number> =>
      (await readFile(join(path, name), "utf8")).split("\n").length;
    await until("the writer", 5_000, async () => ((await counted("second")) > 10 ? true : undefined));

    const before = await counted("second");
    const snapshotId = await volumes.copies.snapshot(ID, SIGNAL);
    const after = await counted("second");
    await until("the writer to go on", 5_000, async () => ((await counted("second")) > after ? true : undefined));
    const ended = once(writer, "exit");
    writer.kill("SIGKILL");
    await ended;
    await volumes.detach(MINE.podId, SIGNAL);
    const { image, snapshots } = pathsOf(folder.root, ID);
    execFileSync("cp", [join(snapshots, `${snapshotId}.img`), image]);
    await volumes.attach(MINE, SIGNAL);

    const [first, second] = [await counted("first"), await counted("second")];
    expect([0, 1]).toContain(first - second);
    expect(second).toBeGreaterThanOrEqual(before);
    expect(second).toBeLessThanOrEqual(after);
  });

  it("that would hold a pod up for too long are given up, and the pod goes on", async () => {
    const folder = await volumesFolder();
    const tools = linuxTools();
    const slow = {
      ...tools,
      copyFrozen: (at: string, files: Parameters<typeof tools.copyFrozen>[1], signal: AbortSignal) =>
        tools.copyFrozen(at, { ...files, from: "/dev/zero", freezeMs: 1_000 }, signal),
    };
    const volumes = await folder.open({}, { tools: slow });
    const path = await volumes.attach(MINE, SIGNAL);

    const taken = await failureOf(volumes.copies.snapshot(ID, SIGNAL));
    await writeFile(join(path, "after"), "x");

    expect(taken).toMatchObject({ code: "deadline-exceeded" });
    expect(await volumes.copies.snapshots(ID)).toEqual([]);
    expect(await readdir(pathsOf(folder.root, ID).snapshots)).toEqual([]);
  });

  it("that were interrupted while writing was held up leave a volume that can be written to after the next start", async () => {
    const folder = await volumesFolder();
    const path = await (await folder.open()).attach(MINE, SIGNAL);
    execFileSync("fsfreeze", ["--freeze", join(path, "..")]);

    await folder.open();
    await writeFile(join(path, "after"), "x");

    expect(await readFile(join(path, "after"), "utf8")).toBe("x");
  });
});
