/** The engine's own words, read the way the executor needs them: failures and logs. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { engineError } from "../../../../executor/docker/errors.ts";
import { LineSplitter } from "../../../../executor/docker/log-stream.ts";
import type { LogLine } from "../../../../protocol/pod.ts";

function answered(statusCode: number, message: string): Error {
  return Object.assign(new Error(message), { statusCode });
}

describe("engineError", () => {
  it.each([
    [409, 'Conflict. The container name "/lium-x" is already in use by container "ab"', "name-taken"],
    [
      500,
      "driver failed programming external connectivity: Bind for 0.0.0.0:80 failed: port is already allocated",
      "port-busy",
    ],
    [500, "listen tcp4 127.0.0.1:80: bind: address already in use", "port-busy"],
    [500, 'could not select device driver "nvidia" with capabilities: [[gpu]]', "gpu-injection-failed"],
    [500, "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=GPU-1", "gpu-injection-failed"],
    [404, "No such image: debian:99", "image-not-found"],
    [404, "manifest for debian:99 not found: manifest unknown", "image-not-found"],
    [404, "pull access denied for x, repository does not exist or may require 'docker login'", "image-not-found"],
    [400, 'OCI runtime create failed: exec: "nope": executable file not found in $PATH: unknown', "image-incompatible"],
    // An image whose working directory is no folder.
    [
      400,
      "runc create failed: error during container init: mkdir /proc/self/fd/7: not a directory",
      "image-incompatible",
    ],
    [
      500,
      'connection error: desc = "transport: Error while dialing: dial unix /run/docker/containerd/containerd.sock: connect: no such file or directory": unavailable',
      "engine-unavailable",
    ],
    [500, "something else", "engine-error"],
  ])("reads %i %s as %s", (status, message, code) => {
    expect(engineError(answered(status, message), "call").code).toBe(code);
  });

  it("a call without an answer says nothing about the pod", () => {
    expect(engineError(new Error("connect ECONNREFUSED /var/run/docker.sock"), "inspect").code).toBe(
      "engine-unavailable",
    );
  });
});

function frame(kind: 1 | 2, text: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = kind;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

function collect(pieces: readonly Buffer[]): LogLine[] {
  const splitter = new LineSplitter();
  return [...pieces.flatMap((piece) => splitter.push(piece)), ...splitter.rest()];
}

describe("LineSplitter", () => {
  it("gives the same lines however the stream is cut into pieces", () => {
    const whole = Buffer.concat([frame(1, "T1 first\nT2 sec"), frame(2, "T3 oops\n"), frame(1, "ond\nT4 last")]);
    const expected = [
      { at: "T1", stream: "stdout", line: "first" },
      { at: "T3", stream: "stderr", line: "oops" },
      { at: "T2", stream: "stdout", line: "second" },
      { at: "T4", stream: "stdout", line: "last" },
    ];
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 })), (sizes) => {
        const pieces: Buffer[] = [];
        let at = 0;
        for (const size of sizes) {
          pieces.push(whole.subarray(at, at + size));
          at += size;
        }
        expect(collect([...pieces, whole.subarray(at)])).toEqual(expected);
      }),
    );
  });

  it("puts a line together that the engine cut into pieces, each with a time of its own", () => {
    const [first, second] = ["2026-01-01T00:00:00.000000001Z", "2026-01-01T00:00:00.000000002Z"];

    const lines = collect([frame(1, `${first} one `), frame(1, `${first} line\n`), frame(1, `${second} next\n`)]);

    expect(lines).toEqual([
      { at: first, stream: "stdout", line: "one line" },
      { at: second, stream: "stdout", line: "next" },
    ]);
  });

  it("refuses a frame that would not fit into memory", () => {
    const header = Buffer.from([1, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]);

    expect(() => collect([header])).toThrow(expect.objectContaining({ code: "engine-error" }));
  });

  it("a line without an end does not grow for ever", () => {
    const lines = collect(Array.from({ length: 300 }, () => frame(1, `T ${"x".repeat(1_000)}`)));

    expect(Math.max(...lines.map(({ line }) => line.length))).toBeLessThanOrEqual(65_536);
  });
});
