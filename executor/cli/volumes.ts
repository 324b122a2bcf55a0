/**
 * `lium-executor volumes`: renters' data on this host, its snapshots and its backups. Secrets come from the environment or
 * from files, never from an argument.
 */
import { readFile } from "node:fs/promises";

import { type Command, Option } from "commander";

import type { CliHost, Output, Paint } from "../../common/cli/output.ts";
import { type Column, table } from "../../common/cli/table.ts";
import type { HttpClient } from "../../common/http-client.ts";
import type { VolumeList, volumeRoutes } from "../../protocol/host-api/volumes.ts";
import { Hotkey } from "../../protocol/ids.ts";
import {
  BackupId,
  type BackupProgress,
  SnapshotId,
  type SnapshotView,
  VolumeId,
  VolumeName,
  type VolumeView,
} from "../../protocol/volume.ts";
import { backupTarget, size, sizeText, taken } from "./volume-arguments.ts";

type VolumesClient = HttpClient<typeof volumeRoutes>;

export interface VolumesCommands {
  readonly output: Output;
  /** Adds a command with the options that all commands have. */
  readonly add: (parent: Command, name: string, description: string) => Command;
  /** Runs `work` with a client of the executor that the configuration names. */
  readonly withHost: (config: string, work: (host: VolumesClient) => Promise<void>) => Promise<void>;
  readonly host: Pick<CliHost, "env" | "interrupted">;
}

interface Options {
  readonly config: string;
}

const volumeId = taken(VolumeId, "a volume's id: vol- and 32 hex digits");
const owner = taken(Hotkey, "a hotkey's ss58 address");
const name = taken(VolumeName, "a name of lower-case letters, digits and dashes");

export function addVolumesCommands(program: Command, commands: VolumesCommands): void {
  const volumes = program.command("volumes").description("Renters' data on this host, its snapshots and its backups");
  addVolumes(volumes, commands);
  addSnapshots(volumes, commands);
  addBackups(volumes, commands);
}

function addVolumes(volumes: Command, { output, add, withHost }: VolumesCommands): void {
  const print = (view: VolumeView): void => output.result(view, (paint) => volumesText([view], paint));
  add(volumes, "list", "All volumes, who has them, and what they take of the disk").action(({ config }: Options) =>
    withHost(config, async (host) => {
      const list = await host.listVolumes({});
      output.result(list, (paint) => listText(list, paint));
    }),
  );
  add(volumes, "create", "Make an empty volume for an owner")
    .argument("<owner>", "hotkey of the owner", owner)
    .argument("<name>", "name of the volume", name)
    .option("--size <size>", "what can be stored in it, such as 20GiB; the configured default when left out", size)
    .option("--key-file <file>", "encrypt it with this file's content, 16 to 256 bytes")
    .action((ownerId: Hotkey, ofName: string, given: Options & { readonly size?: number; readonly keyFile?: string }) =>
      withHost(given.config, async (host) => {
        const sizeBytes = given.size === undefined ? {} : { sizeBytes: given.size };
        const key = given.keyFile === undefined ? {} : { key: (await readFile(given.keyFile)).toString("base64") };
        print(await host.createVolume({ body: { owner: ownerId, name: ofName, ...sizeBytes, ...key } }));
      }),
    );
  add(volumes, "grow", "Make a volume larger, while a pod works in it or not")
    .argument("<volume>", "id of the volume", volumeId)
    .argument("<size>", "its new size, such as 40GiB", size)
    .action((id: VolumeId, sizeBytes: number, { config }: Options) =>
      withHost(config, async (host) => print(await host.growVolume({ params: { volumeId: id }, body: { sizeBytes } }))),
    );
  add(volumes, "remove", "Remove a volume and its snapshots for ever")
    .argument("<volume>", "id of the volume", volumeId)
    .addOption(new Option("--yes", "yes, for ever").makeOptionMandatory())
    .action((id: VolumeId, { config }: Options) =>
      withHost(config, async (host) => {
        await host.removeVolume({ params: { volumeId: id } });
        output.result({ removed: id }, () => `Removed ${id}.`);
      }),
    );
}

function addSnapshots(volumes: Command, { output, add, withHost }: VolumesCommands): void {
  add(volumes, "snapshot", "Keep a volume as it is now")
    .argument("<volume>", "id of the volume", volumeId)
    .action((id: VolumeId, { config }: Options) =>
      withHost(config, async (host) => {
        const taken = await host.snapshotVolume({ params: { volumeId: id } });
        output.result(taken, () => taken.snapshotId);
      }),
    );
  add(volumes, "snapshots", "The snapshots of a volume, or remove one of them")
    .argument("<volume>", "id of the volume", volumeId)
    .option("--remove <snapshot>", "remove this one first", taken(SnapshotId, "a snapshot's id, as the list shows it"))
    .action((id: VolumeId, { config, remove }: Options & { readonly remove?: SnapshotId }) =>
      withHost(config, async (host) => {
        const params = { volumeId: id };
        if (remove !== undefined) await host.removeSnapshot({ params: { ...params, snapshotId: remove } });
        const answer = await host.listSnapshots({ params });
        output.result(answer, (paint) => snapshotsText(answer.snapshots, paint));
      }),
    );
}

const SECRETS = "its password is RESTIC_PASSWORD, for S3 with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

function addBackups(volumes: Command, { output, add, withHost, host: { env, interrupted } }: VolumesCommands): void {
  add(volumes, "backup", "Store a volume as it is now in a repository elsewhere")
    .argument("<volume>", "id of the volume", volumeId)
    .requiredOption(
      "--to <repository>",
      `such as s3:https://host/bucket/path, sftp:user@host:/path or /path; ${SECRETS}`,
    )
    .action((id: VolumeId, { config, to }: Options & { readonly to: string }) =>
      withHost(config, async (host) => {
        const call = { params: { volumeId: id }, body: { target: backupTarget(to, env) } };
        for await (const line of host.backupVolume(call, interrupted())) {
          output.item(line, () => (line.progress === undefined ? (line.backupId ?? "") : progressText(line.progress)));
        }
      }),
    );
  add(volumes, "restore", "Make a volume of a backup; one that a pod has had is never overwritten")
    .argument("<owner>", "hotkey of the owner", owner)
    .argument("<name>", "name of the volume", name)
    .requiredOption("--from <repository>", `where the backup is; ${SECRETS}`)
    .option("--backup <id>", "which; the newest of that owner and name when left out", taken(BackupId, "hex digits"))
    .action((ownerId: Hotkey, ofName: string, given: Options & { readonly from: string; readonly backup?: BackupId }) =>
      withHost(given.config, async (host) => {
        const which = given.backup === undefined ? {} : { backupId: given.backup };
        const body = { owner: ownerId, name: ofName, target: backupTarget(given.from, env), ...which };
        for await (const line of host.restoreVolume({ body }, interrupted())) {
          output.item(line, (paint) =>
            line.volume === undefined ? progressText(line.progress) : volumesText([line.volume], paint),
          );
        }
      }),
    );
}

function listText({ volumes, bookedBytes }: VolumeList, paint: Paint): string {
  if (volumes.length === 0) return "No volumes.";
  return `${volumesText(volumes, paint)}\n${sizeText(bookedBytes)} of the disk are set aside for volumes.`;
}

function volumesText(volumes: readonly VolumeView[], paint: Paint): string {
  const columns: Column<VolumeView>[] = [
    { title: "VOLUME", text: (view) => view.volumeId },
    { title: "NAME", text: (view) => view.name ?? "" },
    { title: "OWNER", text: (view) => view.owner ?? "" },
    { title: "SIZE", text: ({ sizeBytes, growing }) => `${sizeText(sizeBytes)}${growing ? " (growing)" : ""}` },
    { title: "ON DISK", text: (view) => sizeText(view.bookedBytes) },
    { title: "ENCRYPTED", text: ({ encrypted }) => (encrypted ? "yes" : "no") },
    { title: "SNAPSHOTS", text: ({ snapshots }) => String(snapshots) },
    { title: "POD", text: ({ podId }) => podId ?? "" },
    { title: "REMARK", text: remarkOf, style: ({ problem }) => (problem === undefined ? "yellow" : "red") },
  ];
  return table(volumes, columns, paint);
}

function remarkOf({ problem, setAside }: VolumeView): string {
  const aside = setAside.length === 0 ? "" : `files set aside: ${setAside.join(", ")}`;
  return [problem ?? "", aside].filter((text) => text !== "").join("; ");
}

function snapshotsText(snapshots: readonly SnapshotView[], paint: Paint): string {
  if (snapshots.length === 0) return "No snapshots.";
  const columns: Column<SnapshotView>[] = [
    { title: "SNAPSHOT", text: ({ snapshotId }) => snapshotId },
    { title: "TAKEN", text: ({ createdAt }) => createdAt },
    { title: "ON DISK", text: ({ diskBytes }) => sizeText(diskBytes) },
  ];
  return table(snapshots, columns, paint);
}

function progressText(progress: BackupProgress | undefined): string {
  if (progress === undefined) return "";
  return `${sizeText(progress.doneBytes)} of ${sizeText(progress.totalBytes)}`;
}
