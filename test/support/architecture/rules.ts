/**
 * The rules that keep the tree in order, as data: what must be true, where, and why.
 * To add one, add an entry; to break one, change it here, in the same commit, with a reason that others can judge.
 */
import { ERRORS } from "../../../protocol/errors.ts";
import {
  beginsWithDocComment,
  everyCodeIsUsed,
  importedOnlyBy,
  importsOnly,
  noCycles,
  reachesOnly,
  type Rule,
  saidNowhere,
  writtenOnlyIn,
} from "./checks.ts";

const SOURCES = ["protocol/", "common/", "agent/", "executor/", "installer/"];
const ANY_PACKAGE = ["npm:*", "node:*"];
const OUTERMOST: readonly string[] = ["common/cli/program.ts"];

/** Codes whose thrower is still to be written. This list only ever shrinks. */
const NOT_YET_USED: readonly string[] = [];

/** Who may import what others may not: changing a package then means changing one place. */
export const OWNERS: readonly { target: string[]; owners: string[]; why: string }[] = [
  {
    target: ["npm:dockerode"],
    owners: ["executor/docker/"],
    why: "the engine is spoken to through the ports of that folder, which have fakes and compliance suites",
  },
  {
    target: ["npm:systeminformation"],
    owners: ["executor/host/facts.ts"],
    why: "it runs programs and guesses; one file bounds it in time and checks what it says",
  },
  {
    target: ["npm:tweetnacl"],
    owners: ["common/sealed-box.ts", "common/wallet/encryption.ts"],
    why: "it is good for boxes alone: its ed25519 accepts forgeries that node:crypto refuses",
  },
  {
    target: ["npm:@polkadot/api"],
    owners: ["agent/chain/subtensor/"],
    why: "it is large and optional: only a thread that ends with its task loads it",
  },
  {
    target: ["npm:@polkadot/*"],
    owners: ["common/hotkey.ts", "agent/chain/subtensor/"],
    why: "its verify guesses key types and accepts wrapped messages; one strict door leads to it",
  },
  {
    target: ["npm:fastify", "npm:@fastify/*"],
    owners: ["common/http-server.ts"],
    why: "limits, ids and error bodies are the same on every listener because one file sets them",
  },
  {
    target: ["npm:undici"],
    owners: ["common/http-client.ts"],
    why: "every request has a deadline and a size limit because one file sends them",
  },
  { target: ["npm:kysely"], owners: ["agent/store/"], why: "the agent's state sits behind the store's ports" },
  {
    target: ["node:sqlite"],
    owners: ["common/sqlite/", "agent/store/"],
    why: "damage, versions and full disks are dealt with in one place, for every file that must survive",
  },
  {
    target: ["npm:ws"],
    owners: ["agent/link/", "agent/lium/", "executor/link/"],
    why: "frames are checked where they come in, before anybody acts on them",
  },
  {
    target: ["npm:pino"],
    owners: ["common/logger.ts"],
    why: "what does not pass the logger is not scrubbed of secrets",
  },
  {
    target: ["npm:smol-toml"],
    owners: ["common/config-file.ts"],
    why: "configuration is read, checked and frozen once",
  },
  {
    target: ["npm:commander"],
    owners: ["common/cli/program.ts", "agent/cli/", "executor/cli/", "installer/main.ts"],
    why: "arguments end at the outermost files; what they call takes plain options",
  },
  {
    target: ["npm:selfsigned"],
    owners: ["agent/link/certificate.ts"],
    why: "the agent's certificate is made in one place, and pinned by its fingerprint everywhere else",
  },
  { target: ["npm:uuid"], owners: ["common/"], why: "ids are made in one place, so that all of them sort by time" },
  {
    target: ["npm:koffi"],
    owners: ["executor/gpus/nvidia/nvml/library.ts", "executor/challenges/opencl/library.ts"],
    why: "a driver's library may hang or crash its process, so only a worker that may be killed loads it",
  },
  {
    target: ["npm:node-nvidia-smi"],
    owners: ["executor/gpus/nvidia/node-smi/child.ts"],
    why: "it has no time limit and may throw where nobody can catch, so only a child that may be killed calls it",
  },
];

const DIRECTIONS: readonly Rule[] = [
  importsOnly({
    claim: "protocol/ imports zod, Node and itself",
    files: ["protocol/"],
    only: ["protocol/", "node:*", "npm:zod"],
    why: "it holds the words that every program shares; whatever it imported, all of them would have to carry",
  }),
  importsOnly({
    claim: "common/ imports protocol/ and packages",
    files: ["common/"],
    only: ["common/", "protocol/", "package.json", ...ANY_PACKAGE],
    why: "it is plumbing and knows no host, pod or lease",
  }),
  importsOnly({
    claim: "agent/ does not import the executor or the installer",
    files: ["agent/"],
    only: ["agent/", "common/", "protocol/", ...ANY_PACKAGE],
    why: "agent and executor run on different machines in different versions; they share words (protocol/), not code",
  }),
  importsOnly({
    claim: "executor/ does not import the agent or the installer",
    files: ["executor/"],
    only: ["executor/", "common/", "protocol/", ...ANY_PACKAGE],
    why: "agent and executor run on different machines in different versions; they share words (protocol/), not code",
  }),
  importsOnly({
    claim: "installer/ imports nothing of the daemons but their configuration",
    files: ["installer/"],
    only: ["installer/", "common/", "protocol/", "agent/config.ts", "executor/config.ts", ...ANY_PACKAGE],
    why: "it writes their configuration and starts them as an operator would, so it must not reach inside",
  }),
  importedOnlyBy({
    claim: "nothing imports test/",
    target: ["test/"],
    owners: ["vitest.config.ts"],
    why: "what the programs need must not live among the tests, and a release does not hold them",
  }),
  reachesOnly({
    claim: "what decides does no input or output",
    files: [
      "executor/pods/state.ts",
      "executor/pods/plan.ts",
      "executor/pods/claims.ts",
      "executor/pods/admission.ts",
      "executor/strays/decide.ts",
      "agent/fleet/",
    ],
    except: ["agent/fleet/reconcile.ts"],
    only: ["npm:zod", "node:assert", "node:buffer", "node:crypto", "node:path", "node:url", "node:util"],
    why: "decisions are pure functions, so that every crash and every order of events can be tried in a test",
  }),
  noCycles({
    claim: "no file imports itself through others",
    why: "two files that need each other are one idea in two places, and start in an order nobody chose",
  }),
];

const OWNERSHIP: readonly Rule[] = [
  ...OWNERS.map(({ target, owners, why }) =>
    importedOnlyBy({ claim: `${target.join(", ")}: imported only by ${owners.join(", ")}`, target, owners, why }),
  ),
  importsOnly({
    claim: "every package that is imported has an owner",
    files: SOURCES,
    only: [...SOURCES, "package.json", "node:*", "npm:zod", ...OWNERS.flatMap(({ target }) => target)],
    why: "a package without an owner in test/support/architecture/rules.ts spreads; a computed import cannot be owned",
  }),
];

const OUTSIDE_WORLD: readonly Rule[] = [
  writtenOnlyIn({
    claim: "process.env is read by the outermost files alone",
    words: /^process (\.|\?\.|\[) "?env\b/,
    owners: [...OUTERMOST, "common/config-file.ts", "test/"],
    why: "everything else is told what it needs, and so can be run twice in one process, by a test for one",
  }),
  importedOnlyBy({
    claim: "node:process is not imported",
    target: ["node:process"],
    owners: [],
    why: "the global is the same, and the other rules look for it by name",
  }),
  writtenOnlyIn({
    claim: "signals are handled by the lifecycle",
    words: /^process (\.|\?\.) (on|once|addListener|prependListener|prependOnceListener) \( ["'`]SIG/,
    owners: ["common/lifecycle.ts", "common/cli/program.ts", "test/"],
    why: "two handlers of one signal race, and the loser's parts are not closed",
  }),
];

const FORM: readonly Rule[] = [
  beginsWithDocComment({
    claim: "every file begins with a doc comment of one to five lines",
    files: [...SOURCES, "test/"],
    why: "a reader learns first what a file is for and what must stay true in it",
  }),
  writtenOnlyIn({
    claim: "nothing is exported as default",
    words: /^(export default|as default)\b/,
    owners: ["vitest.config.ts"],
    why: "a thing has one name everywhere, and can be searched by it",
  }),
  writtenOnlyIn({
    claim: "no test is run alone",
    words: /^(it|test|describe|suite|bench) (\. \w+ )*\. only\b/,
    owners: [],
    why: "a forgotten .only turns all other tests off",
  }),
  everyCodeIsUsed({
    claim: "every error code is used",
    codes: Object.keys(ERRORS),
    listedIn: "protocol/errors.ts",
    notYetUsed: NOT_YET_USED,
    why: "callers branch on codes; one that never comes is a promise that nobody keeps",
  }),
];

const TEXT: readonly Rule[] = [
  saidNowhere({
    claim: "no file names a path of the machine it was written on",
    files: ["*"],
    pattern: /(^|[^\w.])\/(work|root)\/(?!\.ssh\b)/,
    except: ["test/support/architecture/", "test/unit/support/architecture/"],
    why: "it holds on that machine alone",
  }),
  saidNowhere({
    claim: "no file names a package registry's host",
    files: ["*"],
    pattern: /\b(registry[.](npmjs|yarnpkg)|(deb|security)[.]debian|archive[.]ubuntu)[.](org|com)\b/,
    except: ["test/support/architecture/", "test/unit/support/architecture/"],
    why: "which registry to use is the machine's own affair: mirrors and closed networks are common",
  }),
  saidNowhere({
    claim: "the lockfile names no address",
    files: ["package-lock.json"],
    pattern: /"resolved"/,
    except: [],
    why: "versions and hashes pin a package; where it comes from is the machine's own affair",
  }),
];

export const RULES: readonly Rule[] = [...DIRECTIONS, ...OWNERSHIP, ...OUTSIDE_WORLD, ...FORM, ...TEXT];
