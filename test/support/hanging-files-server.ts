/**
 * A file system that never answers, for test/support/hanging-files.ts: mounted inside the container whose init has the
 * given pid, at the given folder. It says who it is and then leaves every question open, until this program is killed.
 */
import { spawnSync } from "node:child_process";
import { openSync, readSync, writeSync } from "node:fs";

const [pid = "", folder = ""] = process.argv.slice(2);
const FUSE_INIT = 26;
const HEADER_BYTES = 16;

const device = openSync("/dev/fuse", "r+");
const options = "fd=3,rootmode=40000,user_id=0,group_id=0,allow_other";
const mount = spawnSync(
  "nsenter",
  ["-t", pid, "-m", "/bin/busybox", "mount", "-t", "fuse", "-o", options, "hanging", folder],
  {
    stdio: ["ignore", "inherit", "inherit", device],
  },
);
if (mount.status !== 0) throw new Error("the file system could not be mounted");

const question = Buffer.alloc(2 ** 20);
readSync(device, question);
if (question.readUInt32LE(4) !== FUSE_INIT) throw new Error("the kernel did not begin with a greeting");
// The old, short form of the answer, which every kernel still takes: version 7.12, writes of 4 KiB.
const answer = Buffer.alloc(HEADER_BYTES + 24);
answer.writeUInt32LE(answer.length, 0);
answer.writeBigUInt64LE(question.readBigUInt64LE(8), 8);
answer.writeUInt32LE(7, 16);
answer.writeUInt32LE(12, 20);
answer.writeUInt32LE(65_536, 24);
answer.writeUInt32LE(4_096, 36);
writeSync(device, answer);
process.stdout.write("mounted\n");

// A question that was read and not answered is one that not even SIGKILL ends.
for (;;) {
  readSync(device, question);
  process.stdout.write("asked\n");
}
