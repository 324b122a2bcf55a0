/**
 * An agent without its HTTP listeners: store, fleet and a real link listener on loopback, on a clock that stands still.
 * A crash leaves what a kill would leave: the files as they are at that moment, and nothing of the process.
 */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Fleet } from "../../agent/fleet/fleet.ts";
import { HostReports } from "../../agent/fleet/host-reports.ts";
import { OffersConfig } from "../../agent/fleet/offers-config.ts";
import { Roster } from "../../agent/fleet/roster.ts";
import { GpuReports } from "../../agent/gpus/gpu-reports.ts";
import { type Certificate, makeCertificate } from "../../agent/link/certificate.ts";
import { invite } from "../../agent/link/enrolment.ts";
import { LinkServer } from "../../agent/link/server.ts";
import type { WaitingRoomOptions } from "../../agent/link/waiting-room.ts";
import { openSqliteStore } from "../../agent/store/sqlite.ts";
import type { Store } from "../../agent/store/store.ts";
import type { Logger } from "../../common/logger.ts";
import { newPodId } from "../../common/new-id.ts";
import { Hotkey } from "../../protocol/ids.ts";
import { OWNER, T0 } from "./builders.ts";
import { FakeClock } from "./fake-clock.ts";
import { type DialOptions, dialOptionsOf } from "./fake-executor.ts";

export interface HarnessOptions {
  readonly dir: string;
  readonly clock: FakeClock;
  readonly certificate: Certificate;
  readonly network?: "development" | "finney";
  readonly waitingRoom?: WaitingRoomOptions;
}

export interface Harness {
  readonly fleet: Fleet;
  readonly gpus: GpuReports;
  readonly store: Store;
  readonly clock: FakeClock;
  readonly url: string;
  readonly dbPath: string;
  readonly certificate: Certificate;
  /** What a host with a fresh join token dials with. */
  invitation(ttlSeconds?: number): Promise<DialOptions>;
  close(): Promise<void>;
}

export async function startHarness(options: HarnessOptions): Promise<Harness> {
  const { dir, clock, certificate } = options;
  const dbPath = join(dir, "agent.db");
  const store = await openSqliteStore(dbPath);
  const roster = new Roster(store);
  await roster.load();
  const reports = new HostReports({ roster, clock, log: SILENT });
  const gpus = new GpuReports({ clock, log: SILENT });
  const challenges = { heard: ignore, lost: ignore };
  const server = new LinkServer({ certificate, reports, gpus, challenges, clock, log: SILENT }, options.waitingRoom);
  const url = `wss://127.0.0.1:${await server.listen({ host: "127.0.0.1", port: 0 })}`;
  const fleet = new Fleet(
    {
      version: "0.0.0",
      hotkey: Hotkey.parse(OWNER),
      network: options.network ?? "development",
      offers: OffersConfig.parse({}),
      startedAtMs: T0,
    },
    {
      roster,
      store,
      gpus,
      clock,
      newPodId,
      invite: (ttlSeconds) =>
        invite(ttlSeconds, { store, clock, url: () => url, fingerprint: certificate.fingerprint }),
      urls: () => ({ validatorUrl: "http://127.0.0.1:0", linkUrl: url }),
    },
  );
  return {
    fleet,
    gpus,
    store,
    clock,
    url,
    dbPath,
    certificate,
    invitation: async (ttlSeconds = 60) => dialOptionsOf((await fleet.invite(ttlSeconds)).token),
    close: async () => {
      await server.close();
      await store.close();
    },
  };
}

export interface HarnessSuite {
  /** An agent over an empty folder. */
  start(over?: Pick<HarnessOptions, "network" | "waitingRoom">): Promise<Harness>;
  /** What a machine finds that starts the agent again after this one was killed. */
  afterKill(agent: Harness): Promise<Harness>;
  /** Ends all agents and removes their folders. */
  end(): Promise<void>;
}

export function harnessSuite(): HarnessSuite {
  const folders: string[] = [];
  const agents: Harness[] = [];
  let certificate: Promise<Certificate> | undefined;

  async function folder(): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), "lium-agent-"));
    folders.push(dir);
    return dir;
  }

  async function add(started: Promise<Harness>): Promise<Harness> {
    const agent = await started;
    agents.push(agent);
    return agent;
  }

  return {
    start: async (over = {}) => {
      certificate ??= makeCertificate(Date.now());
      return add(
        startHarness({ dir: await folder(), clock: new FakeClock(T0), certificate: await certificate, ...over }),
      );
    },
    afterKill: async ({ dbPath, clock, certificate: same }) => {
      const dir = await folder();
      for (const suffix of ["", "-wal", "-shm"]) await cp(`${dbPath}${suffix}`, join(dir, `agent.db${suffix}`));
      return add(startHarness({ dir, clock, certificate: same }));
    },
    end: async () => {
      await Promise.all(agents.splice(0).map((agent) => agent.close()));
      await Promise.all(folders.splice(0).map((dir) => rm(dir, { recursive: true, force: true })));
    },
  };
}

const ignore = (): void => undefined;

export const SILENT: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => SILENT,
  secrets: { add: () => ignore, scrub: (text) => text },
};
