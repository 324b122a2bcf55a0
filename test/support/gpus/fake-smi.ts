/**
 * Programs that stand in for nvidia-smi: one that hangs and ignores SIGTERM, and one that prints what it is given.
 */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class FakeSmi {
  readonly folder = mkdtempSync(join(tmpdir(), "fake-smi-"));
  readonly file = join(this.folder, "nvidia-smi");

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Notes its process and then sleeps, whatever it is asked and however it is told to end. */
  hang(): void {
    this.#script(`echo $$ >> "${this.#pids}"\ntrap '' TERM INT HUP\nwhile :; do sleep 3600; done`);
  }

  /** Prints by the first of its arguments that is a key here, and exits with `status`. */
  answer(outputs: Readonly<Record<string, string>>, status = 0): void {
    const cases = Object.entries(outputs).map(([argument, output], index) => {
      const file = join(this.folder, `output-${index}`);
      writeFileSync(file, output);
      return `${argument}*) cat "${file}"; exit ${status};;`;
    });
    this.#script(`for one in "$@"; do case "$one" in\n${cases.join("\n")}\nesac; done\nexit 2`);
  }

  /** A line on stderr, then what `answer` printed. */
  complain(line: string, output: string): void {
    const file = join(this.folder, "output");
    writeFileSync(file, output);
    this.#script(`echo "${line}" >&2\ncat "${file}"`);
  }

  /** Those that were ever started and live. */
  get alive(): number[] {
    if (!existsSync(this.#pids)) return [];
    return readFileSync(this.#pids, "utf8")
      .trim()
      .split("\n")
      .map(Number)
      .filter((pid) => existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(statOf(pid)));
  }

  get started(): number {
    return existsSync(this.#pids) ? readFileSync(this.#pids, "utf8").trim().split("\n").length : 0;
  }

  get #pids(): string {
    return join(this.folder, "pids");
  }

  #script(body: string): void {
    writeFileSync(this.file, `#!/bin/sh\n${body}\n`);
    chmodSync(this.file, 0o755);
  }
}

function statOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return ") X ";
  }
}
