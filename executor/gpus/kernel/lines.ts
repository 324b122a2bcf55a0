/**
 * What the kernel's drivers say of accelerators, line by line, as findings. The kernel's log belongs to nobody: a renter cannot
 * write to it, but a driver quotes what renters name their programs, so only the beginning of a line decides what it is. Pure.
 */
import type { RecoveryAction } from "../../../protocol/accelerator.ts";
import type { Finding, FindingClass, Where } from "../health/finding.ts";
import { ECHOES, xidRule } from "../health/xids.ts";
import { pciAddress } from "../pci-address.ts";

export interface LineContext {
  /** Wall clock in ms at which the kernel wrote it. */
  readonly at: number;
  /** Classes that the site gives Xids, by their numbers. */
  readonly overrides?: Readonly<Record<string, FindingClass>>;
}

type Said = Omit<Finding, "at" | "source" | "message" | "echo"> & { readonly echo?: boolean };
type Groups = Readonly<Record<string, string | undefined>>;

interface Pattern {
  readonly of: RegExp;
  /** Undefined where it is about no accelerator after all. */
  readonly say: (groups: Groups, context: LineContext) => Said | undefined;
}

const PLACE = String.raw`(?<place>[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}(?:\.[0-7])?)`;
const LONGEST_MESSAGE = 400;

/** The first that fits counts. */
const PATTERNS: readonly Pattern[] = [
  {
    of: /^NVRM: Xid \((?:PCI:)?(?<place>[0-9a-f:.]+)(?: GPU-I:\d+)?(?: GPU-CI:\d+)?\): (?<code>\d{1,4})\b(?<rest>.*)$/i,
    say: xid,
  },
  {
    of: new RegExp(`^NVRM: (?:The NVIDIA )?GPU (?:at )?(?:PCI:)?${PLACE}.*fallen off the bus`, "i"),
    say: (groups) => at(groups, "fallen-off-the-bus", "reboot"),
  },
  {
    of: /^nvidia-nvswitch\d+: SXid \((?:PCI:)?[0-9a-f:.]+\): (?<code>\d{1,6}), (?<how>Fatal|Non-fatal)/i,
    say: ({ code, how }) => ({
      code: `sxid-${code}`,
      class: how?.toLowerCase() === "fatal" ? "fabric" : "watch",
      where: { board: true },
    }),
  },
  {
    of: new RegExp(
      `^amdgpu ${PLACE}: .*?\\d+ (?<what>uncorrectable|correctable|poison)\\b.* errors? .*detected in`,
      "i",
    ),
    say: (groups) => {
      const what = groups["what"]?.toLowerCase();
      return at(groups, `ras-${what}`, what === "correctable" ? "watch" : "reset");
    },
  },
  {
    of: new RegExp(`^amdgpu ${PLACE}: .*RAS records.* exceed`, "i"),
    say: (groups) => at(groups, "ras-records-full", "inspect"),
  },
  {
    of: new RegExp(`^amdgpu ${PLACE}: .*GPU reset ?(?:begin|\\(\\d+\\))? ?(?<what>begin|succeeded|failed)?`, "i"),
    say: (groups) => {
      const what = groups["what"]?.toLowerCase() ?? "begin";
      const kind = what === "failed" ? "reboot" : what === "begin" ? "watch" : "info";
      return at(groups, `amdgpu-reset-${what}`, kind);
    },
  },
  {
    of: new RegExp(`^amdgpu ${PLACE}: .*ring \\S+ timeout`, "i"),
    say: (groups) => at(groups, "amdgpu-ring-timeout", "application"),
  },
  {
    of: new RegExp(`^amdgpu ${PLACE}: .*(?:VM_L2_PROTECTION_FAULT|page fault)`, "i"),
    say: (groups) => at(groups, "amdgpu-page-fault", "application"),
  },
  {
    of: new RegExp(`^(?:xe|i915) ${PLACE}: .*device (?:is )?wedged`, "i"),
    say: (groups) => at(groups, "intel-wedged", "reset"),
  },
  {
    of: new RegExp(`^(?:xe|i915) ${PLACE}: .*(?:GPU HANG|engine reset|Timedout job|Resetting chip|reset request)`, "i"),
    say: (groups) => at(groups, "intel-hang", "application"),
  },
  {
    of: new RegExp(`^habanalabs (?:hl\\d+: )?${PLACE}: .*(?:uncorrectable|double[- ]bit|DERR)`, "i"),
    say: (groups) => at(groups, "gaudi-uncorrectable", "reset"),
  },
  {
    of: new RegExp(`^habanalabs (?:hl\\d+: )?${PLACE}: .*(?:Going to (?:hard-)?reset|hard[- ]reset)`, "i"),
    say: (groups) => at(groups, "gaudi-reset", "watch"),
  },
  {
    of: new RegExp(
      `^(?:nvidia|amdgpu|xe|i915|habanalabs) ${PLACE}: (?:AER: )?PCIe Bus Error: severity=(?<how>\\w+)(?: \\((?<grade>[\\w-]+)\\))?`,
      "i",
    ),
    say: (groups) => {
      const isFatal = groups["grade"]?.toLowerCase() === "fatal" || groups["how"]?.toLowerCase() === "fatal";
      return at(groups, isFatal ? "pcie-fatal" : "pcie-errors", isFatal ? "inspect" : "watch");
    },
  },
];

/** Undefined for a line that says nothing of an accelerator's health. */
export function findingOfLine(text: string, context: LineContext): Finding | undefined {
  for (const { of, say } of PATTERNS) {
    const groups = of.exec(text)?.groups;
    const said = groups && say(groups, context);
    if (said !== undefined) {
      return { echo: false, ...said, source: "kernel", at: context.at, message: text.slice(0, LONGEST_MESSAGE) };
    }
  }
  return undefined;
}

function at(groups: Groups, code: string, kind: FindingClass): Said | undefined {
  const where = placeOf(groups["place"]);
  return where && { code, class: kind, where };
}

function placeOf(text: string | undefined): Where | undefined {
  const address = pciAddress(text ?? "");
  return address === undefined ? undefined : { pciAddress: address };
}

const PID = /\bpid='?(\d+)/;
const CHANGED = /GPU recovery action changed from 0x[0-9a-f]+ \([^)]*\) to 0x(?<to>[0-9a-f]+)/i;
const RECOVERY: readonly RecoveryAction[] = [
  "none",
  "reset",
  "reboot",
  "drain-peers",
  "drain-and-reset",
  "recover-imex",
];

/** What a driver's own wish calls for. */
const RECOVERY_CLASS: Readonly<Record<RecoveryAction, FindingClass>> = {
  none: "info",
  reset: "reset",
  reboot: "reboot",
  "drain-peers": "fabric",
  "drain-and-reset": "reset",
  "recover-imex": "fabric",
};

function xid(groups: Groups, { overrides }: LineContext): Said | undefined {
  const where = placeOf(groups["place"]);
  if (where === undefined) return undefined;
  const [code, rest] = [Number(groups["code"]), groups["rest"] ?? ""];
  const to = CHANGED.exec(rest)?.groups?.["to"];
  const recovery = to === undefined ? undefined : RECOVERY[Number.parseInt(to, 16)];
  const pid = PID.exec(rest)?.[1];
  return {
    code: `xid-${code}`,
    class: recovery === undefined ? xidRule(code, overrides).class : RECOVERY_CLASS[recovery],
    echo: ECHOES.has(code) && (recovery === undefined || recovery === "none"),
    where,
    ...(pid === undefined ? {} : { pid: Number(pid) }),
    ...(recovery === undefined ? {} : { recovery }),
  };
}
