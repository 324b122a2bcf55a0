/**
 * What each Xid, the number of NVIDIA's errors in the kernel's log, calls for: the codes that the driver's 595 branch knows.
 * Names are the driver's own; class and action are this project's rule, made from NVIDIA's catalogue and from what operators
 * of fleets do. A site may give a code another class in its configuration.
 */
import type { FindingClass } from "./finding.ts";

/**
 * `reset-when-idle`: whoever has the GPU keeps it, and it is reset after that; `check-fabric`: links, and whatever joins the
 * switches, have to be looked at; `inspect`: somebody has to look at the hardware or its firmware.
 */
export type XidAction =
  | "none"
  | "restart-program"
  | "reset-when-idle"
  | "reset"
  | "reboot"
  | "check-fabric"
  | "inspect"
  | "update-driver"
  | "watch";

export interface XidRule {
  readonly class: FindingClass;
  readonly action: XidAction;
  readonly name: string;
}

type Range = readonly [first: number, last: number];

/** Of these the vendor says nothing in public: they are counted. */
const UNEXPLAINED: readonly Range[] = [
  [1, 7],
  [9, 10],
  [12, 12],
  [15, 24],
  [26, 30],
  [33, 36],
  [42, 42],
  [47, 47],
  [49, 53],
  [55, 55],
  [59, 59],
  [87, 87],
  [90, 91],
  [111, 118],
  [122, 122],
  [124, 124],
  [138, 138],
];

type Row = readonly [code: number, kind: FindingClass, action: XidAction, name: string];

const ROWS: readonly Row[] = [
  [8, "application", "restart-program", "fifo error idle timeout"],
  [11, "application", "restart-program", "gr error missing hw"],
  [13, "application", "restart-program", "gr exception"],
  [14, "info", "none", "fake error"],
  [25, "application", "restart-program", "gr illegal notify"],
  [31, "application", "restart-program", "fifo error mmu err flt"],
  [32, "application", "restart-program", "pbdma error"],
  [37, "application", "restart-program", "fecs err unimp firmware method"],
  [38, "inspect", "inspect", "fecs err watchdog timeout"],
  [39, "application", "restart-program", "ce0 error"],
  [40, "application", "restart-program", "ce1 error"],
  [41, "application", "restart-program", "ce2 error"],
  [43, "application", "restart-program", "resetchannel verif error"],
  [44, "inspect", "inspect", "gr fault during ctxsw"],
  [45, "info", "none", "preemptive removal"],
  [46, "reset", "reset", "gpu timeout error"],
  [48, "memory", "reset", "gpu ecc dbe"],
  [54, "inspect", "inspect", "silent running pwr reduced clocking"],
  [56, "watch", "watch", "display channel exception"],
  [57, "watch", "watch", "fb link training failure error"],
  [58, "watch", "watch", "fb memory error"],
  [60, "application", "restart-program", "sec2 error"],
  [61, "inspect", "inspect", "pmu breakpoint"],
  [62, "reset", "reset", "pmu halt error"],
  [63, "memory", "reset-when-idle", "inforom dram retirement event"],
  [64, "reset", "reset", "inforom dram retirement failure"],
  [65, "inspect", "inspect", "nvenc1 error"],
  [66, "application", "restart-program", "fecs err reg access violation"],
  [67, "inspect", "inspect", "fecs err verif violation"],
  [68, "application", "restart-program", "nvdec0 error"],
  [69, "application", "restart-program", "gr class error"],
  [70, "application", "restart-program", "ce3 error"],
  [71, "application", "restart-program", "ce4 error"],
  [72, "application", "restart-program", "ce5 error"],
  [73, "watch", "watch", "nvenc2 error"],
  [74, "fabric", "check-fabric", "nvlink error"],
  [75, "application", "restart-program", "ce6 error"],
  [76, "application", "restart-program", "ce7 error"],
  [77, "application", "restart-program", "ce8 error"],
  [78, "inspect", "update-driver", "vgpu start error"],
  [79, "reboot", "reboot", "gpu has fallen off the bus"],
  [80, "application", "restart-program", "pbdma pushbuffer crc mismatch"],
  [81, "inspect", "inspect", "vga subsystem error"],
  [82, "application", "restart-program", "nvjpg0 error"],
  [83, "application", "restart-program", "nvdec1 error"],
  [84, "application", "restart-program", "nvdec2 error"],
  [85, "application", "restart-program", "ce9 error"],
  [86, "application", "restart-program", "ofa0 error"],
  [88, "application", "restart-program", "nvdec3 error"],
  [89, "application", "restart-program", "nvdec4 error"],
  [92, "info", "none", "excessive sbe interrupts"],
  [93, "info", "none", "inforom erase limit exceeded"],
  [94, "memory", "restart-program", "contained error"],
  [95, "reset", "reset", "uncontained error"],
  [96, "application", "restart-program", "nvdec5 error"],
  [97, "application", "restart-program", "nvdec6 error"],
  [98, "application", "restart-program", "nvdec7 error"],
  [99, "application", "restart-program", "nvjpg1 error"],
  [100, "application", "restart-program", "nvjpg2 error"],
  [101, "application", "restart-program", "nvjpg3 error"],
  [102, "application", "restart-program", "nvjpg4 error"],
  [103, "application", "restart-program", "nvjpg5 error"],
  [104, "application", "restart-program", "nvjpg6 error"],
  [105, "application", "restart-program", "nvjpg7 error"],
  [106, "info", "none", "smbpbi test message"],
  [107, "info", "none", "smbpbi test message silent"],
  [108, "info", "none", "nvlink remote translation error"],
  [109, "reset", "reset", "ctxsw timeout error"],
  [110, "reset", "reset", "sec fault error"],
  [119, "reset", "reset", "gsp rpc timeout"],
  [120, "reset", "reset", "gsp error"],
  [121, "fabric", "check-fabric", "c2c error"],
  [123, "inspect", "inspect", "spi pmu rpc write fail"],
  [125, "inspect", "inspect", "inforom fs error"],
  [126, "application", "restart-program", "ce10 error"],
  [127, "application", "restart-program", "ce11 error"],
  [128, "application", "restart-program", "ce12 error"],
  [129, "application", "restart-program", "ce13 error"],
  [130, "application", "restart-program", "ce14 error"],
  [131, "application", "restart-program", "ce15 error"],
  [132, "application", "restart-program", "ce16 error"],
  [133, "application", "restart-program", "ce17 error"],
  [134, "application", "restart-program", "ce18 error"],
  [135, "application", "restart-program", "ce19 error"],
  [136, "fabric", "check-fabric", "ali training fail"],
  [137, "application", "restart-program", "nvlink priv err"],
  [139, "application", "restart-program", "ofa1 error"],
  [140, "reset", "reset", "unrecoverable ecc error escape"],
  [141, "application", "restart-program", "fast path error"],
  [142, "application", "restart-program", "nvenc3 error"],
  [143, "reset", "reset", "gpu init error"],
  [144, "fabric", "check-fabric", "nvlink saw error"],
  [145, "fabric", "check-fabric", "nvlink rlw error"],
  [146, "fabric", "check-fabric", "nvlink tlw error"],
  [147, "fabric", "check-fabric", "nvlink trex error"],
  [148, "fabric", "check-fabric", "nvlink nvlpw ctrl error"],
  [149, "fabric", "check-fabric", "nvlink netir error"],
  [150, "fabric", "check-fabric", "nvlink mse error"],
  [151, "reboot", "reboot", "key rotation error"],
  [152, "info", "none", "dla smmu error"],
  [153, "info", "none", "dla timeout"],
  [154, "info", "none", "gpu recovery action changed"],
  [155, "reset", "reset", "nvlink sw defined error"],
  [156, "memory", "reset-when-idle", "resource retirement event"],
  [157, "inspect", "inspect", "resource retirement failure"],
  [158, "reset", "reset", "gpu fatal timeout"],
  [159, "application", "restart-program", "chi non data error"],
  [160, "info", "none", "channel retirement event"],
  [161, "inspect", "inspect", "channel retirement failure"],
  [162, "info", "none", "pshc reengaged"],
  [163, "info", "none", "pshc disengaged"],
  [164, "info", "none", "pshc low lifetime"],
  [165, "inspect", "inspect", "pshc zero lifetime"],
  [166, "fabric", "check-fabric", "nvlink secure crypto err"],
  [167, "reboot", "reboot", "pcie fatal timeout"],
  [168, "inspect", "inspect", "reduced gpu memory capacity"],
  [169, "reboot", "reboot", "sec2 halt error"],
  [170, "fabric", "check-fabric", "nvlink secure other"],
  [171, "memory", "none", "uncorrectable dram error"],
  [172, "memory", "none", "uncorrectable sram error"],
  [173, "fabric", "check-fabric", "c2c fatal link failure"],
  [174, "watch", "watch", "resetchannel kill process silent"],
  [175, "watch", "watch", "memory subsystem error"],
  [176, "watch", "watch", "pcie correctable error fault"],
];

const WATCHED: XidRule = { class: "watch", action: "watch", name: "unexplained" };

export const XIDS: ReadonlyMap<number, XidRule> = new Map([
  ...UNEXPLAINED.flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, at): [number, XidRule] => [first + at, WATCHED]),
  ),
  ...ROWS.map(([code, kind, action, name]): [number, XidRule] => [code, { class: kind, action, name }]),
]);

/** Those that follow from another error, or tell more of it, and begin no incident of their own. */
export const ECHOES: ReadonlySet<number> = new Set([43, 45, 154, 171, 172]);

const ACTION_OF: Readonly<Record<FindingClass, XidAction>> = {
  application: "restart-program",
  memory: "reset",
  reset: "reset",
  reboot: "reboot",
  fabric: "check-fabric",
  inspect: "inspect",
  watch: "watch",
  info: "none",
};

/** A code that is not listed is counted. */
export function xidRule(code: number, overrides: Readonly<Record<string, FindingClass>> = {}): XidRule {
  const rule = XIDS.get(code) ?? WATCHED;
  const other = Object.hasOwn(overrides, String(code)) ? overrides[String(code)] : undefined;
  return other === undefined || other === rule.class ? rule : { ...rule, class: other, action: ACTION_OF[other] };
}
