/**
 * `lium-executor images`: what is kept at hand on this host, and how full its disk is.
 */
import type { Command } from "commander";

import { type Output, type Paint, printable, type Style } from "../../common/cli/output.ts";
import { type Column, table } from "../../common/cli/table.ts";
import type { HttpClient } from "../../common/http-client.ts";
import type {
  EngineDisk,
  ImageCollection,
  ImageList,
  ImagePin,
  imageRoutes,
  ImageStanding,
  ImageSummary,
  ImageView,
  PullProgress,
} from "../../protocol/host-api/images.ts";

type ImagesClient = HttpClient<typeof imageRoutes>;

export interface ImagesCommands {
  readonly output: Output;
  /** Adds a command with the options that all commands have. */
  readonly add: (parent: Command, name: string, description: string) => Command;
  /** Runs `work` with a client of the executor that the configuration names. */
  readonly withHost: (config: string, work: (host: ImagesClient) => Promise<void>) => Promise<void>;
  /** Aborts at Ctrl-C. */
  readonly interrupted: () => AbortSignal;
}

interface Options {
  readonly config: string;
  readonly dryRun?: boolean;
}

export function addImagesCommands(program: Command, { output, add, withHost, interrupted }: ImagesCommands): void {
  const images = program.command("images").description("The images on this host, and the room that they take");
  add(images, "list", "All images, why each stays, and what is being pulled").action(({ config }: Options) =>
    withHost(config, async (host) => {
      const list = await host.listImages({});
      output.result(list, (paint) => listText(list, paint));
    }),
  );
  add(images, "pull <reference>", "Pull an image that needs no credentials").action(
    (reference: string, { config }: Options) =>
      withHost(config, async (host) => {
        for await (const line of host.pullImage({ body: { reference } }, interrupted())) {
          output.item(line, () => (line.progress === undefined ? (line.imageId ?? "") : progressText(line.progress)));
        }
      }),
  );
  add(images, "gc", "Make room if the disk is beyond its high mark")
    .option("--dry-run", "only say what would be removed")
    .action(({ config, dryRun = false }: Options) =>
      withHost(config, async (host) => {
        const collection = await host.collectImages({ body: { dryRun } });
        output.result(collection, (paint) => collectionText(collection, paint));
      }),
    );
  add(images, "pins", "The images that the configuration keeps at hand").action(({ config }: Options) =>
    withHost(config, async (host) => {
      const answer = await host.listPins({});
      output.result(answer, (paint) => pinsText(answer.pins, paint));
    }),
  );
}

const STYLE: Readonly<Record<ImageStanding, Style>> = {
  "in-use": "green",
  pinned: "green",
  pulling: "cyan",
  young: "dim",
  foreign: "dim",
  removable: "yellow",
};

const IMAGE_COLUMNS: readonly Column<ImageSummary>[] = [
  { title: "IMAGE", text: ({ names, id }) => names[0] ?? id },
  { title: "SIZE", text: ({ sizeBytes }) => sizeText(sizeBytes) },
  { title: "LAST USED", text: ({ lastUsedAt }) => lastUsedAt },
];

function listText({ disk, images, pulling }: ImageList, paint: Paint): string {
  const columns: Column<ImageView>[] = [
    ...IMAGE_COLUMNS,
    { title: "STANDING", text: ({ standing }) => standing, style: ({ standing }) => STYLE[standing] },
  ];
  const pulls = pulling.map(
    ({ name, rental, progress }) =>
      `pulling ${printable(name)}${rental ? " for a renter" : ""}${progress === undefined ? "" : `: ${progressText(progress)}`}`,
  );
  const here = images.length === 0 ? "No images." : table(images, columns, paint);
  return [disk === undefined ? "The disk cannot be measured now." : diskText(disk), ...pulls, here].join("\n");
}

function collectionText({ dryRun, before, after, removed, leftovers }: ImageCollection, paint: Paint): string {
  if (removed.length + leftovers.layers === 0) return `Nothing to remove. ${diskText(before)}`;
  const what = dryRun ? "would be removed" : "were removed";
  const disk = dryRun ? diskText(before) : `Before: ${diskText(before)} After: ${diskText(after)}`;
  const parts = [`${removed.length} images ${what}. ${disk}`];
  if (leftovers.layers > 0)
    parts.push(`${leftovers.layers} layers of no image, ${sizeText(leftovers.sizeBytes)}, ${what}.`);
  if (removed.length > 0) parts.push(table(removed, IMAGE_COLUMNS, paint));
  return parts.join("\n");
}

function pinsText(pins: readonly ImagePin[], paint: Paint): string {
  if (pins.length === 0) return "None: see images.pinned and images.prePull in executor.toml.";
  const columns: Column<ImagePin>[] = [
    { title: "IMAGE", text: ({ reference }) => reference },
    { title: "PRE-PULL", text: ({ prePull }) => (prePull ? "yes" : "no") },
    { title: "HERE", text: ({ here }) => (here ? "yes" : "no"), style: ({ here }) => (here ? "green" : "yellow") },
  ];
  return table(pins, columns, paint);
}

function diskText({ bytes, inodes }: EngineDisk): string {
  const files = inodes === undefined ? "" : `, ${percentText(inodes)} of the inodes`;
  return `Disk: ${percentText(bytes)} of ${sizeText(bytes.total)}${files} in use.`;
}

function progressText({ doneBytes, totalBytes, bytesPerSecond, etaSeconds }: PullProgress): string {
  const speed = bytesPerSecond === undefined ? "" : `, ${sizeText(bytesPerSecond)}/s`;
  const left = etaSeconds === undefined ? "" : `, ${etaSeconds} s left`;
  return `${sizeText(doneBytes)} of ${sizeText(totalBytes)}${speed}${left}`;
}

function percentText({ used, total }: { readonly used: number; readonly total: number }): string {
  return `${Math.round(total === 0 ? 0 : (used * 100) / total)} %`;
}

function sizeText(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
