/**
 * Builds the agent. The order here is the start order; closing is the reverse, and it ends no pod.
 */
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

import { writeFileAtomic } from "../common/atomic-file.ts";
import { type Clock, systemClock } from "../common/clock.ts";
import { loadHotkey } from "../common/hotkey.ts";
import { type Lifecycle, runDaemon } from "../common/lifecycle.ts";
import { createLogger, type Logger } from "../common/logger.ts";
import { newPodId } from "../common/new-id.ts";
import { startTicker } from "../common/ticker.ts";
import { VERSION } from "../common/version.ts";
import type { SignBytes } from "../protocol/challenge/signing.ts";
import { AppError } from "../protocol/errors.ts";
import { Hotkey } from "../protocol/ids.ts";
import { urlOf } from "./addresses.ts";
import type { ChainDesk } from "./chain/desk.ts";
import { servedValidators } from "./chain/served.ts";
import { startChain } from "./chain/start.ts";
import type { ChallengeDesk } from "./challenges/desk.ts";
import { createChallengeDesk } from "./challenges/start.ts";
import { type AgentConfig, loadAgentConfig } from "./config.ts";
import { Fleet } from "./fleet/fleet.ts";
import { HostReports } from "./fleet/host-reports.ts";
import { Roster } from "./fleet/roster.ts";
import { GpuReports } from "./gpus/gpu-reports.ts";
import { type Certificate, loadCertificate } from "./link/certificate.ts";
import { invite } from "./link/enrolment.ts";
import { LinkServer, type LinkServerDeps } from "./link/server.ts";
import { createLium } from "./lium/start.ts";
import { createOperatorServer, type OperatorServerOptions } from "./operator/server.ts";
import { openSqliteStore } from "./store/sqlite.ts";
import type { Store } from "./store/store.ts";
import { createValidatorServer, validatorLimits } from "./validator/server.ts";

const CLOSE_DEADLINE_MS = 10_000;
const PRUNE_EVERY_MS = 60_000;

/** Runs until a signal asks for the end. Throws an AppError when the start fails. */
export async function serveAgent(options: { readonly configPath: string }): Promise<void> {
  const config = await loadAgentConfig(options.configPath);
  const log = createLogger({ name: "agent", level: config.logLevel });
  await runDaemon({ log, deadlineMs: CLOSE_DEADLINE_MS }, (life) => start({ config, log, life, clock: systemClock() }));
}

/** What every part is made with. */
interface Base {
  readonly config: AgentConfig;
  readonly log: Logger;
  readonly life: Lifecycle;
  readonly clock: Clock;
}

/** Where the agent is reached; each is filled in once its listener listens. */
interface Urls {
  validatorUrl: string;
  linkUrl: string;
}

async function start(base: Base): Promise<void> {
  const { config, log, life, clock } = base;
  const { file, passwordFile, ss58 } = config.hotkey;
  const signer = file === undefined ? undefined : await loadHotkey(file, passwordFile);
  const hotkey = Hotkey.parse(signer?.ss58 ?? ss58);
  const certificate = await certificateOf(config);
  const store = await startStore(base);

  const roster = new Roster(store);
  const damaged = await roster.load();
  if (damaged.length > 0) log.error("rows of the database could not be read and were set aside", { damaged });
  const reports = new HostReports({ roster, clock, log: log.child({ part: "fleet" }) });
  const gpus = new GpuReports({ clock, log: log.child({ part: "gpus" }) });

  const urls: Urls = { validatorUrl: "", linkUrl: "" };
  const { fingerprint } = certificate;
  const fleet = new Fleet(
    { version: VERSION, hotkey, network: config.network, offers: config.offers, startedAtMs: clock.now() },
    {
      roster,
      store,
      gpus,
      clock,
      newPodId,
      invite: (ttlSeconds) => invite(ttlSeconds, { store, clock, url: () => urls.linkUrl, fingerprint }),
      urls: () => urls,
    },
  );

  const sign = signer && ((bytes: Uint8Array): Uint8Array => signer.sign(bytes));
  const challenges = createChallengeDesk({
    roster,
    useCases: fleet,
    hotkey,
    sign,
    replay: store,
    clock,
    log: log.child({ part: "challenges" }),
  });
  urls.linkUrl = await startLink(base, certificate, { reports, gpus, challenges });
  const chain = await startChain({
    ...base,
    log: log.child({ part: "chain" }),
    config: config.chain,
    network: config.network,
    stateDir: config.stateDir,
    hotkey,
    signer,
    validatorUrl: () => urls.validatorUrl,
  });
  urls.validatorUrl = await startValidator(base, { fleet, store, hotkey, sign, chain, challenges });
  await startOperator(base, { fleet, chain, breaker: gpus.breaker, challenges: { desk: challenges, hotkey } });

  const listeners = join(config.stateDir, "listeners.json");
  const operatorSocket = config.operator.socketPath;
  await writeFileAtomic(listeners, `${JSON.stringify({ ...urls, operatorSocket }, undefined, 2)}\n`, 0o644);
  life.add("listeners.json", () => rm(listeners, { force: true }));
  log.info("the agent serves", { hotkey, network: config.network, hosts: roster.hosts().length, version: VERSION });
}

async function startStore({ config, log, life, clock }: Base): Promise<Store> {
  const store = await openSqliteStore(join(config.stateDir, "agent.db"));
  if (store.opening.salvage !== undefined) log.error("the database was damaged", { ...store.opening.salvage });
  if (store.opening.migrated !== undefined) log.info("the database was migrated", { ...store.opening.migrated });
  life.add("store", () => store.close());
  const pruning = startTicker(
    {
      clock,
      everyMs: PRUNE_EVERY_MS,
      run: () => store.prune(clock.now()),
      onError: (error) => log.warn("expired nonces and tokens could not be removed", { error }),
    },
    life.signal,
  );
  life.add("pruning", () => pruning.done);
  return store;
}

async function startLink(
  base: Base,
  certificate: Certificate,
  heard: Pick<LinkServerDeps, "reports" | "gpus" | "challenges">,
): Promise<string> {
  const { config, log, life, clock } = base;
  const { host, port: asked, publicUrl } = config.link;
  const server = new LinkServer({ certificate, ...heard, clock, log: log.child({ part: "link" }) });
  const port = await server.listen({ host, port: asked });
  life.add("link", () => server.close());
  const url = publicUrl ?? urlOf("wss", { host, port });
  log.info("listening for executors", { host, port, url });
  return url;
}

interface ValidatorParts {
  readonly fleet: Fleet;
  readonly store: Store;
  readonly hotkey: Hotkey;
  /** Left out where the agent has its hotkey's address alone. */
  readonly sign: SignBytes | undefined;
  readonly chain: ChainDesk;
  readonly challenges: ChallengeDesk;
}

async function startValidator(base: Base, parts: ValidatorParts): Promise<string> {
  const { config, log, life, clock } = base;
  const { fleet, store, hotkey, sign, chain, challenges } = parts;
  const { host, port: asked, publicUrl, allow } = config.validator;
  if (allow.length === 0 && chain.validators().length === 0) {
    log.warn("no validator is known yet: the chain says who is permitted, or [[validator.allow]] in the configuration");
  }
  const allowed = servedValidators({ allow, deny: config.chain.validators.deny, chain });
  const lium = config.lium.enabled
    ? createLium({
        config: config.lium,
        hotkey,
        allowed,
        useCases: fleet,
        store,
        clock,
        log: log.child({ part: "lium" }),
      })
    : undefined;
  const server = await createValidatorServer({
    useCases: fleet,
    hotkey,
    sign,
    challenges,
    allowed,
    more: lium?.rest ?? [],
    replay: store,
    ...validatorLimits(config.validator),
    log,
    clock,
  });
  const port = await server.listen({ host, port: asked });
  life.add("validator", () => server.close());
  const gateway = lium?.attach(server);
  if (gateway !== undefined) life.add("lium", () => gateway.close());
  const url = publicUrl ?? urlOf("http", { host, port });
  log.info("listening for validators", { host, port, url });
  return url;
}

async function startOperator(
  { config, log, life, clock }: Base,
  parts: Pick<ValidatorParts, "fleet" | "chain"> & Pick<OperatorServerOptions, "breaker" | "challenges">,
): Promise<void> {
  const { socketPath } = config.operator;
  await mkdir(dirname(socketPath), { recursive: true, mode: 0o700 });
  const server = await createOperatorServer({ ...parts, useCases: parts.fleet, log, clock });
  await server.listen({ socketPath });
  life.add("operator", () => server.close());
  log.info("listening for the operator", { socketPath });
}

async function certificateOf({ stateDir }: AgentConfig): Promise<Certificate> {
  const certificate = await loadCertificate(stateDir);
  if (certificate !== undefined) return certificate;
  throw new AppError("config-invalid", { message: `${stateDir} holds no certificate; run \`lium-agent init\` first.` });
}
