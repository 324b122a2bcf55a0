/**
 * One line of the kernel's log in the forms that it is met in: a record of /dev/kmsg, a line of dmesg, a line without a time.
 * Pure.
 */

export interface KernelRecord {
  /** Counts records of one boot; only /dev/kmsg has it. */
  readonly sequence?: number;
  /** Microseconds since the machine's boot. */
  readonly micros?: number;
  readonly text: string;
}

const KMSG = /^\d+,(?<sequence>\d+),(?<micros>\d+),[^;]*;(?<text>[^\n]*)/;
const DMESG = /^(?:<\d+>)?\[\s*(?<seconds>\d+)\.(?<fraction>\d{1,6})\]\s*(?<text>.*)/;
const DATED = /^\[[A-Z][a-z]{2} [A-Z][a-z]{2} [^\]]+\]\s*(?<text>.*)/;

export function kernelRecord(line: string): KernelRecord {
  const kmsg = KMSG.exec(line)?.groups;
  if (kmsg !== undefined) {
    return { sequence: Number(kmsg["sequence"]), micros: Number(kmsg["micros"]), text: kmsg["text"] ?? "" };
  }
  const dmesg = DMESG.exec(line)?.groups;
  if (dmesg !== undefined) {
    const fraction = Number((dmesg["fraction"] ?? "").padEnd(6, "0"));
    return { micros: Number(dmesg["seconds"]) * 1e6 + fraction, text: dmesg["text"] ?? "" };
  }
  return { text: DATED.exec(line)?.groups?.["text"] ?? line };
}
