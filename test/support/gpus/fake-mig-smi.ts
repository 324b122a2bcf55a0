/**
 * A program that answers like nvidia-smi does of MIG, for GPUs of the H100's grid. What it was told stays in a file beside it;
 * it refuses what the driver refuses, and notes every command.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Device {
  mode: "Enabled" | "Disabled" | "[N/A]";
  pending: "Enabled" | "Disabled" | "[N/A]";
  /** Whether its mode changes only with a reset. */
  needsReset?: boolean;
  instances: { id: number; profile: string; start: number }[];
}

const PROGRAM = String.raw`
const { appendFileSync, readFileSync, writeFileSync } = require("node:fs");
const file = __dirname + "/devices.json";
const args = process.argv.slice(2);
appendFileSync(__dirname + "/commands", args.join(" ") + "\n");
const devices = JSON.parse(readFileSync(file, "utf8"));
const PROFILES = [
  ["1g.10gb", 19, [0, 1, 2, 3, 4, 5, 6], 1, 7], ["1g.10gb+me", 20, [0, 1, 2, 3, 4, 5, 6], 1, 1],
  ["1g.20gb", 15, [0, 2, 4, 6], 2, 4], ["2g.20gb", 14, [0, 2, 4], 2, 3], ["3g.40gb", 9, [0, 4], 4, 2],
  ["4g.40gb", 5, [0], 4, 1], ["7g.80gb", 0, [0], 8, 1],
];
const valueOf = (name) => args[args.indexOf(name) + 1];
const has = (name) => args.includes(name);
const end = (status, text) => { console.log(text); process.exit(status); };
const device = devices[valueOf("-i")];
if (device === undefined) end(6, "No devices were found");
const save = () => writeFileSync(file, JSON.stringify(devices));
const sizeOf = (name) => PROFILES.find((profile) => profile[0] === name)[3];
const covers = (one, slice) => slice >= one.start && slice < one.start + sizeOf(one.profile);
if (args.some((arg) => arg.startsWith("--query-gpu"))) end(0, device.mode + ", " + device.pending);
if (has("-mig")) {
  device.pending = "Enabled";
  if (!device.needsReset) device.mode = "Enabled";
  save();
  end(0, "Enabled MIG Mode for GPU 00000000:0F:00.0\nAll done.");
}
if (device.mode !== "Enabled") end(6, "No MIG-enabled devices found.");
if (has("-lgip")) {
  end(0, PROFILES.map(([name, id, , , most]) => "|   0  MIG " + name.padEnd(14) + String(id).padStart(3) + "     " +
    most + "/" + most + "        9.75       No     16     1     0   |").join("\n"));
}
if (has("-lgipp")) {
  end(0, PROFILES.map(([, id, starts, size]) => "GPU  0 Profile ID " + String(id).padStart(2) +
    (starts.length > 1 ? " Placements: {" : " Placement : {") + starts.join() + "}:" + size).join("\n"));
}
if (has("-lgi")) {
  if (device.instances.length === 0) end(6, "No GPU instances found: Not Found");
  end(0, device.instances.map(({ id, profile, start }) => "|   0  MIG " + profile.padEnd(14) + "19       " +
    String(id).padStart(2) + "          " + start + ":" + sizeOf(profile) + "     |").join("\n"));
}
if (has("-dci")) { device.open = [...(device.open ?? []), ...valueOf("-gi").split(",").map(Number)]; save(); end(0, "Destroyed."); }
if (has("-dgi")) {
  for (const id of valueOf("-gi").split(",").map(Number)) {
    if (!(device.open ?? []).includes(id)) end(19, "Unable to destroy GPU instance ID " + id + " from GPU  0: In use by another client");
    device.instances = device.instances.filter((one) => one.id !== id);
  }
  device.open = [];
  save();
  end(0, "Destroyed.");
}
if (has("-cgi")) {
  if (!has("-C")) end(2, "No compute instances.");
  for (const tuple of valueOf("-cgi").split(",")) {
    const [profile, start] = [tuple.split(":")[0], Number(tuple.split(":")[1])];
    const one = { id: 1, profile, start };
    const slices = [0, 1, 2, 3, 4, 5, 6, 7].filter((slice) => covers(one, slice));
    const free = slices.length > 0 && slices.every((slice) => !device.instances.some((other) => covers(other, slice)));
    if (!free || !PROFILES.find(([name]) => name === profile)[2].includes(start)) {
      save();
      end(19, "Failed to create GPU instances: Insufficient Resources");
    }
    while (device.instances.some(({ id }) => id === one.id)) one.id += 1;
    device.instances.push(one);
  }
  save();
  end(0, "Successfully created.");
}
end(2, "Invalid combination of input arguments.");
`;

export class FakeMigSmi {
  readonly folder = mkdtempSync(join(tmpdir(), "fake-mig-"));
  readonly file = join(this.folder, "nvidia-smi");

  constructor(devices: Readonly<Record<string, Partial<Device>>>) {
    const whole = Object.entries(devices).map(([uuid, device]): [string, Device] => {
      const { mode = "Disabled" } = device;
      return [uuid, { mode, pending: mode, instances: [], ...device }];
    });
    this.#write(Object.fromEntries(whole));
    writeFileSync(this.file, `#!${process.execPath}\n${PROGRAM}`);
    chmodSync(this.file, 0o755);
    this.forgetCommands();
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  instancesOf(uuid: string): string[] {
    const instances = this.#read()[uuid]?.instances ?? [];
    return instances.map(({ profile, start }) => `${profile}:${start}`).toSorted();
  }

  /** Instances are gone; modes stay, or change where that waited for it. */
  reboot(): void {
    const devices = Object.entries(this.#read());
    this.#write(
      Object.fromEntries(devices.map(([uuid, { pending }]) => [uuid, { mode: pending, pending, instances: [] }])),
    );
  }

  /** Those that change something. */
  get changes(): string[] {
    return readFileSync(join(this.folder, "commands"), "utf8")
      .split("\n")
      .filter((line) => /-mig |-dci|-dgi|-cgi/.test(line));
  }

  get commands(): number {
    return readFileSync(join(this.folder, "commands"), "utf8").split("\n").length - 1;
  }

  forgetCommands(): void {
    writeFileSync(join(this.folder, "commands"), "");
  }

  #read(): Record<string, Device> {
    return JSON.parse(readFileSync(join(this.folder, "devices.json"), "utf8")) as Record<string, Device>;
  }

  #write(devices: Record<string, Device>): void {
    writeFileSync(join(this.folder, "devices.json"), JSON.stringify(devices));
  }
}
