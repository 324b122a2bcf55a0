/**
 * Whether an engine protects its host and its pods from pods. Pure: from what the engine says of itself, and from what a
 * process in a container sees of itself. A fatal finding keeps every pod from starting.
 */
import { capabilityMask } from "../docker/hardening.ts";
import type { EngineInfo } from "../docker/runtime.ts";
import type { FileOwner } from "../ssh/pod-files.ts";
import { traitsOf } from "./runtimes.ts";

export interface Finding {
  /** A word for the protection that is missing or weak. */
  readonly protection: string;
  readonly fatal: boolean;
  readonly message: string;
}

export function runtimeOf(engine: EngineInfo, configured: string | undefined): string {
  return configured ?? engine.defaultRuntime;
}

export function judgeEngine(engine: EngineInfo, configured: string | undefined): Finding[] {
  const { limits, runtimes } = engine;
  const unlimited = (["memory", "cpu", "pids"] as const).filter((kind) => !limits[kind]);
  return [
    ...judgeSeccomp(optionOf(engine, "seccomp")),
    ...unlimited.map((kind) => fatal("limits", `The engine cannot limit a pod's ${kind}: the cgroup is missing.`)),
    ...(configured === undefined || runtimes.includes(configured)
      ? []
      : [fatal("runtime", `The engine has no runtime "${configured}"; it has ${runtimes.join(", ")}.`)]),
    ...(optionOf(engine, "rootless") === undefined
      ? []
      : [
          fatal(
            "network",
            "The engine is rootless: its networks are not this host's, so no firewall of ours guards them.",
          ),
        ]),
    ...(optionOf(engine, "userns") === undefined || mappedRoot(engine) !== undefined
      ? []
      : [fatal("user-namespace", "The engine maps users in a way that does not show in its root folder.")]),
  ];
}

function judgeSeccomp(option: ReadonlyMap<string, string> | undefined): Finding[] {
  const profile = option?.get("profile");
  if (option === undefined || profile === "unconfined") {
    return [fatal("seccomp", "The engine runs containers without a seccomp profile.")];
  }
  if (profile === undefined || profile === "builtin" || profile === "default") return [];
  return [{ protection: "seccomp", fatal: false, message: `The engine's seccomp profile is not its own: ${profile}.` }];
}

/** From `/proc/self/status` of a process in a container with all our settings. */
export function judgeProcess(status: string, runtime: string): Finding[] {
  const { shows } = traitsOf(runtime);
  const is = (field: string): string | undefined => new RegExp(`^${field}:\\s*(\\S+)$`, "m").exec(status)?.[1];
  const wanted = [
    ["capabilities", "CapEff", capabilityMask(), shows.capabilities],
    ["capabilities", "CapBnd", capabilityMask(), shows.capabilities],
    ["seccomp", "Seccomp", "2", shows.seccomp],
    ["no-new-privileges", "NoNewPrivs", "1", shows.noNewPrivileges],
  ] as const;
  return wanted.flatMap(([protection, field, value, shown]) =>
    !shown || is(field) === value
      ? []
      : [fatal(protection, `In a container of runtime "${runtime}", ${field} is ${is(field)} and not ${value}.`)],
  );
}

/** Undefined where root in a pod is root of the host. An engine that maps users says to whom in the name of its root folder. */
export function mappedRoot(engine: EngineInfo): FileOwner | undefined {
  if (optionOf(engine, "userns") === undefined) return undefined;
  const [, uid, gid] = /\/(\d+)\.(\d+)$/.exec(engine.rootDir) ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

/** One of the engine's security options, such as `name=seccomp,profile=builtin`, by its name. */
function optionOf({ securityOptions }: EngineInfo, name: string): ReadonlyMap<string, string> | undefined {
  const options = securityOptions.map((text) => new Map(text.split(",").map(toPair)));
  return options.find((option) => option.get("name") === name);
}

function toPair(text: string): [string, string] {
  const at = text.indexOf("=");
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function fatal(protection: string, message: string): Finding {
  return { protection, fatal: true, message };
}
