/** What may be removed as nobody's, and what never. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { labelsOf } from "../../../../executor/docker/labels.ts";
import type { ContainerState } from "../../../../executor/docker/runtime.ts";
import type { EngineContainer } from "../../../../executor/docker/stray-objects.ts";
import { findStrays, type Known, type Sight, verdictOf } from "../../../../executor/strays/decide.ts";
import { parseMounts } from "../../../../executor/strays/mount-table.ts";
import type { PodId } from "../../../../protocol/ids.ts";
import { podId, podRecord, T0, wantedPod } from "../../../support/builders.ts";

const HOST = "our-key";
const STATE = "/var/lib/lium-executor";
const [LIVE, OVER, UNKNOWN] = [podId(1), podId(2), podId(3)];
const OURS = { "lium.host": HOST };

const known: Known = {
  host: HOST,
  podState: (id) => (id === LIVE ? "live" : id === OVER ? "over" : "unknown"),
  networks: new Set(["lium-net-held"]),
  ownFolders: [STATE, "/run/lium-executor"],
};

interface Made {
  readonly containers?: Sight["engine"]["containers"];
  readonly volumes?: Sight["engine"]["volumes"];
  readonly networks?: Sight["engine"]["networks"];
  readonly folders?: Sight["host"]["folders"];
  readonly mounts?: Sight["host"]["mounts"];
  readonly loops?: Sight["host"]["loops"];
  readonly tables?: Sight["host"]["tables"];
}

function sight({ containers = [], volumes = [], networks = [], ...host }: Made): Sight {
  const { folders = [], mounts = [], loops = [], tables = [] } = host;
  return { engine: { containers, volumes, networks }, host: { folders, mounts, loops, tables } };
}

function container(over: Partial<EngineContainer> = {}): EngineContainer {
  const labels = { ...OURS, "lium.pod": UNKNOWN };
  return { name: "lium-x", state: "created", labels, createdAtMs: T0, networks: [], volumes: [], ...over };
}

function thing(labels: Record<string, string>, name = "thing") {
  return { name, labels, createdAtMs: T0 };
}

/** The names of what would be removed, and of what is only reported. */
function found(made: Made): { goes: string[]; told: string[] } {
  const strays = findStrays(sight(made), known);
  return {
    goes: strays.filter(({ spared }) => spared === undefined).map(({ name }) => name),
    told: strays.filter(({ spared }) => spared !== undefined).map(({ name }) => name),
  };
}

const NOTHING = { goes: [], told: [] };
const GOES = (name: string) => ({ goes: [name], told: [] });
const TOLD = (name: string) => ({ goes: [], told: [name] });

describe("a container", () => {
  const labelsFor = (id: PodId) => labelsOf(podRecord({ wanted: wantedPod({ podId: id }) }), HOST);

  it.each<[string, Partial<EngineContainer>, ReturnType<typeof found>]>([
    ["of a pod that is over goes, even if it runs", { labels: labelsFor(OVER), state: "running" }, GOES("lium-x")],
    ["of a live pod stays", { labels: labelsFor(LIVE), name: `lium-${LIVE}` }, NOTHING],
    ["that is a live pod's second goes if it never ran", { labels: labelsFor(LIVE) }, GOES("lium-x")],
    ["that is a live pod's second is told if it ran", { labels: labelsFor(LIVE), state: "exited" }, TOLD("lium-x")],
    ["with a readable record is made a pod again", { labels: labelsFor(UNKNOWN), state: "running" }, NOTHING],
    ["without one goes if it never ran", {}, GOES("lium-x")],
    ["without one is told if it ran", { state: "running" }, TOLD("lium-x")],
    ["whose pod is no id goes if it never ran", { labels: { ...OURS, "lium.pod": "?" } }, GOES("lium-x")],
    ["of another host is theirs", { labels: { "lium.pod": OVER, "lium.host": "other" } }, NOTHING],
    ["that names no host is told", { labels: { "lium.pod": OVER } }, TOLD("lium-x")],
    ["without our label is nobody's business", { labels: OURS, name: `lium-${OVER}` }, NOTHING],
  ])("%s", (_, made, outcome) => {
    expect(found({ containers: [container(made)] })).toEqual(outcome);
  });
});

describe("a volume", () => {
  it.each<[string, Record<string, string>, ReturnType<typeof found>]>([
    ["of a pod that is over goes", { ...OURS, "lium.pod": OVER }, GOES("thing")],
    ["of a pod that nobody knows goes", { ...OURS, "lium.pod": UNKNOWN }, GOES("thing")],
    ["of a live pod stays", { ...OURS, "lium.pod": LIVE }, NOTHING],
    ["of a renter is data and never goes", { ...OURS, "lium.pod": OVER, "lium.volume": "data" }, NOTHING],
    ["of another host is theirs", { "lium.pod": OVER, "lium.host": "other" }, NOTHING],
    ["that names no host is told", { "lium.pod": OVER }, TOLD("thing")],
    ["without our label is nobody's business", OURS, NOTHING],
  ])("%s", (_, labels, outcome) => {
    expect(found({ volumes: [thing(labels)] })).toEqual(outcome);
  });

  it("that a container needs stays, whoever made that", () => {
    const volumes = [thing({ ...OURS, "lium.pod": OVER })];

    expect(found({ volumes, containers: [container({ labels: {}, volumes: ["thing"] })] })).toEqual(NOTHING);
  });
});

describe("a network", () => {
  it.each<[string, Record<string, string>, string, ReturnType<typeof found>]>([
    ["of ours that serves nobody goes", { ...OURS, "lium.network": "x" }, "thing", GOES("thing")],
    ["that a pod's record holds stays", { ...OURS, "lium.network": "x" }, "lium-net-held", NOTHING],
    ["that is a slot is the isolation's own affair", { ...OURS, "lium.network": "x" }, "lium-net-10-213-0-8", NOTHING],
    ["of another host is theirs", { "lium.network": "x", "lium.host": "other" }, "thing", NOTHING],
    ["that names no host is told", { "lium.network": "x" }, "thing", TOLD("thing")],
    ["without our label is nobody's business", OURS, "thing", NOTHING],
  ])("%s", (_, labels, name, outcome) => {
    expect(found({ networks: [thing(labels, name)] })).toEqual(outcome);
  });

  it("that a stopped container is to start in stays", () => {
    const networks = [thing({ ...OURS, "lium.network": "x" })];

    expect(found({ networks, containers: [container({ labels: {}, state: "exited", networks: ["thing"] })] })).toEqual(
      NOTHING,
    );
  });
});

describe("what lies in our own folders", () => {
  const folder = (id: string) => ({ path: `${STATE}/pods/${id}`, createdAtMs: T0 });
  const mount = (path: string, device = "7:0") => ({ path, device });

  it("a folder goes with its pod, and stays while a container stands for the pod", () => {
    const folders = [folder(LIVE), folder(OVER), folder(UNKNOWN), folder("kit")];

    expect(found({ folders })).toEqual({ goes: [folder(OVER).path, folder(UNKNOWN).path], told: [] });
    expect(found({ folders, containers: [container({ state: "exited" })] }).goes).toEqual([folder(OVER).path]);
  });

  it("a mount goes with its pod, the deepest first, and the folder under it waits for that", () => {
    const mounts = [
      mount(`${STATE}/pods/${OVER}/disk`),
      mount(`${STATE}/pods/${OVER}/disk/inner`),
      mount(`${STATE}/pods/${LIVE}/disk`),
      mount(`/elsewhere/${OVER}`),
      mount(`${STATE}-other/pods/${OVER}`),
      mount(`${STATE}/volumes/data`),
    ];

    expect(found({ mounts, folders: [folder(OVER)] })).toEqual({
      goes: [`${STATE}/pods/${OVER}/disk/inner`, `${STATE}/pods/${OVER}/disk`],
      told: [folder(OVER).path],
    });
  });

  it("a loop device goes when nothing is mounted from it and its file is ours", () => {
    const loop = (n: number, file: string) => ({ path: `/dev/loop${n}`, device: `7:${n}`, file });
    const loops = [loop(0, `${STATE}/volumes/a.img`), loop(1, `${STATE}/volumes/b.img`), loop(2, "/srv/theirs.img")];

    expect(found({ loops, mounts: [mount("/mnt", "7:1")] })).toEqual(GOES("/dev/loop0"));
  });

  it("a firewall table that bears our name is told and never touched; the one in use is neither", () => {
    expect(found({ tables: ["lium", "lium-old", "filter"] })).toEqual(TOLD("lium-old"));
  });
});

it("nothing that does not bear our label and our host ever goes, whatever else it bears", () => {
  const label = fc.record({
    "lium.pod": fc.constantFrom(undefined, LIVE, OVER, UNKNOWN, "?"),
    "lium.host": fc.constantFrom(undefined, HOST, "other"),
    "lium.volume": fc.constantFrom(undefined, "data"),
    "lium.network": fc.constantFrom(undefined, "x"),
  });
  const labels = label.map((all) =>
    Object.fromEntries(Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined)),
  );
  const state = fc.constantFrom<ContainerState>("created", "running", "paused", "exited", "removing");
  fc.assert(
    fc.property(labels, state, (bears, inState) => {
      const made = {
        containers: [container({ labels: bears, state: inState })],
        volumes: [thing(bears)],
        networks: [thing(bears)],
      };
      const going = findStrays(sight(made), known).filter(({ spared }) => spared === undefined);
      const mayGo = going.filter(({ kind }) => {
        const bearsOurs = bears[kind === "network" ? "lium.network" : "lium.pod"] !== undefined;
        const isData = kind === "volume" && bears["lium.volume"] !== undefined;
        return bears["lium.host"] === HOST && bearsOurs && !isData;
      });
      expect(going).toEqual(mayGo);
    }),
  );
});

describe("the grace", () => {
  const stray = { kind: "volume", name: "thing", why: "", createdAtMs: T0 } as const;
  const graceMs = 600_000;

  it.each([
    ["is over after its time", T0 + graceMs, "remove"],
    ["holds until then", T0 + graceMs - 1, "young"],
    ["begins anew where the clock went back", T0 - 3_600_000, "young"],
  ])("%s", (_, nowMs, verdict) => {
    expect(verdictOf(stray, { sinceMs: T0, nowMs, graceMs })).toBe(verdict);
  });

  it("does not change that what is spared is only reported", () => {
    expect(verdictOf({ ...stray, spared: "data" }, { sinceMs: T0, nowMs: T0 + graceMs, graceMs })).toBe("report");
  });
});

it("the table of mounts is read with blanks in its paths", () => {
  const text =
    "22 27 0:21 / /proc rw,relatime shared:1 - proc proc rw\n" +
    "90 27 7:3 / /srv/a\\040b\\134c rw - ext4 /dev/loop3 rw\n";

  expect(parseMounts(text)).toEqual([
    { path: "/proc", device: "0:21" },
    { path: "/srv/a b\\c", device: "7:3" },
  ]);
});
