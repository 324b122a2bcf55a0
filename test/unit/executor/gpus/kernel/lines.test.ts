/** 200 and more lines of kernels' logs: each is given the class and the GPU that it is documented to have, and no other line is. */
import { describe, expect, it } from "vitest";

import type { FindingClass } from "../../../../../executor/gpus/health/finding.ts";
import { XIDS, xidRule } from "../../../../../executor/gpus/health/xids.ts";
import { findingOfLine } from "../../../../../executor/gpus/kernel/lines.ts";

const AT = Date.UTC(2026, 0, 1);

/** What NVIDIA's catalogue and operators of fleets make of each number. */
const CLASSES: Readonly<Record<FindingClass, readonly number[]>> = {
  application: [
    8, 11, 13, 25, 31, 32, 37, 39, 40, 41, 43, 60, 66, 68, 69, 70, 71, 72, 75, 76, 77, 80, 82, 83, 84, 85, 86, 88, 89,
    96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135, 137, 139, 141, 142,
    159,
  ],
  memory: [48, 63, 94, 156, 171, 172],
  reset: [46, 62, 64, 95, 109, 110, 119, 120, 140, 143, 155, 158],
  reboot: [79, 151, 167, 169],
  fabric: [74, 121, 136, 144, 145, 146, 147, 148, 149, 150, 166, 170, 173],
  inspect: [38, 44, 54, 61, 65, 67, 78, 81, 123, 125, 157, 161, 165, 168],
  watch: [
    1, 2, 3, 4, 5, 6, 7, 9, 10, 12, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 26, 27, 28, 29, 30, 33, 34, 35, 36, 42, 47,
    49, 50, 51, 52, 53, 55, 56, 57, 58, 59, 73, 87, 90, 91, 111, 112, 113, 114, 115, 116, 117, 118, 122, 124, 138, 174,
    175, 176,
  ],
  info: [14, 45, 92, 93, 106, 107, 108, 152, 153, 154, 160, 162, 163, 164],
};

const classOf = new Map(Object.entries(CLASSES).flatMap(([kind, codes]) => codes.map((code) => [code, kind] as const)));

/** One line for each number, written in all the ways in which drivers write places. */
const XID_LINES = Array.from({ length: 176 }, (_, index) => {
  const code = index + 1;
  const bus = (0x10 + (index % 8)).toString(16);
  const place = [`PCI:0000:${bus}:00`, `0000:${bus}:00`, `PCI:0000:${bus}:00 GPU-I:05`, `PCI:00000000:${bus}:00.0`][
    index % 4
  ];
  const rest = [`pid=${4000 + index}, name=python3, Ch 00000008`, "pid='<unknown>', name=<unknown>", "GPU error"][
    index % 3
  ];
  return {
    code,
    line: `NVRM: Xid (${place}): ${code}, ${rest}`,
    pciAddress: `0000:${bus}:00.0`,
    pid: index % 3 === 0 ? 4000 + index : undefined,
  };
});

interface Other {
  readonly line: string;
  readonly code: string;
  readonly class: FindingClass;
  readonly where: object;
}

const at = (pciAddress: string): object => ({ pciAddress });
const OTHERS: readonly Other[] = [
  {
    line: "NVRM: GPU 0000:2a:00.0: GPU has fallen off the bus.",
    code: "fallen-off-the-bus",
    class: "reboot",
    where: at("0000:2a:00.0"),
  },
  {
    line: "NVRM: The NVIDIA GPU 0000:3b:00.0 (PCI ID: 10de:20b2) installed in this system has fallen off the bus and is not responding to commands.",
    code: "fallen-off-the-bus",
    class: "reboot",
    where: at("0000:3b:00.0"),
  },
  {
    line: "NVRM: GPU at PCI:0000:9b:00: GPU has fallen off the bus.",
    code: "fallen-off-the-bus",
    class: "reboot",
    where: at("0000:9b:00.0"),
  },
  {
    line: "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 20034, Fatal, Link 30 LTSSM Fault Up",
    code: "sxid-20034",
    class: "fabric",
    where: { board: true },
  },
  {
    line: "nvidia-nvswitch0: SXid (PCI:0000:c4:00.0): 12028, Non-fatal, Link 12 egress non-posted PRIV error",
    code: "sxid-12028",
    class: "watch",
    where: { board: true },
  },
  {
    line: "NVRM: Xid (PCI:0000:2a:00): 154, GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)",
    code: "xid-154",
    class: "reset",
    where: at("0000:2a:00.0"),
  },
  {
    line: "NVRM: Xid (PCI:0000:2a:00): 154, GPU recovery action changed from 0x0 (None) to 0x2 (Node Reboot Required)",
    code: "xid-154",
    class: "reboot",
    where: at("0000:2a:00.0"),
  },
  {
    line: "NVRM: Xid (PCI:0000:2a:00): 154, GPU recovery action changed from 0x0 (None) to 0x3 (Drain P2P)",
    code: "xid-154",
    class: "fabric",
    where: at("0000:2a:00.0"),
  },
  {
    line: "NVRM: Xid (PCI:0000:2a:00): 154, GPU recovery action changed from 0x2 (Node Reboot Required) to 0x0 (None)",
    code: "xid-154",
    class: "info",
    where: at("0000:2a:00.0"),
  },
  {
    line: "amdgpu 0000:26:00.0: amdgpu: 2 uncorrectable hardware errors detected in umc block",
    code: "ras-uncorrectable",
    class: "reset",
    where: at("0000:26:00.0"),
  },
  {
    line: "amdgpu 0000:26:00.0: amdgpu: 17 correctable hardware errors detected in gfx block",
    code: "ras-correctable",
    class: "watch",
    where: at("0000:26:00.0"),
  },
  {
    line: "amdgpu 0000:26:00.0: amdgpu: 1 poison hardware errors detected in sdma block",
    code: "ras-poison",
    class: "reset",
    where: at("0000:26:00.0"),
  },
  {
    line: "amdgpu 0000:26:00.0: amdgpu: GPU reset begin!",
    code: "amdgpu-reset-begin",
    class: "watch",
    where: at("0000:26:00.0"),
  },
  {
    line: "amdgpu 0000:26:00.0: amdgpu: GPU reset(4) succeeded!",
    code: "amdgpu-reset-succeeded",
    class: "info",
    where: at("0000:26:00.0"),
  },
  {
    line: "amdgpu 0000:26:00.0: amdgpu: GPU reset(5) failed",
    code: "amdgpu-reset-failed",
    class: "reboot",
    where: at("0000:26:00.0"),
  },
  {
    line: "amdgpu 0000:c3:00.0: [drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring gfx_0.0.0 timeout, signaled seq=1, emitted seq=3",
    code: "amdgpu-ring-timeout",
    class: "application",
    where: at("0000:c3:00.0"),
  },
  {
    line: "amdgpu 0000:c3:00.0: amdgpu: [gfxhub] page fault (src_id:0 ring:24 vmid:3 pasid:32770)",
    code: "amdgpu-page-fault",
    class: "application",
    where: at("0000:c3:00.0"),
  },
  {
    line: "amdgpu 0000:c3:00.0: amdgpu: RAS records:700 exceed threshold:655, GPU will not be initialized.",
    code: "ras-records-full",
    class: "inspect",
    where: at("0000:c3:00.0"),
  },
  {
    line: "xe 0000:03:00.0: [drm] device wedged, needs recovery",
    code: "intel-wedged",
    class: "reset",
    where: at("0000:03:00.0"),
  },
  {
    line: "i915 0000:03:00.0: [drm] GPU HANG: ecode 12:1:85dffffb, in python3 [4242]",
    code: "intel-hang",
    class: "application",
    where: at("0000:03:00.0"),
  },
  {
    line: "xe 0000:03:00.0: [drm] GT0: Engine reset: engine_class=ccs, logical_mask: 0x1, guc_id=4",
    code: "intel-hang",
    class: "application",
    where: at("0000:03:00.0"),
  },
  {
    line: "habanalabs hl0: 0000:19:00.0: ECC error detected. address: 0x1, Syndrome: 0x2, uncorrectable",
    code: "gaudi-uncorrectable",
    class: "reset",
    where: at("0000:19:00.0"),
  },
  {
    line: "habanalabs 0000:19:00.0: Going to reset device",
    code: "gaudi-reset",
    class: "watch",
    where: at("0000:19:00.0"),
  },
  {
    line: "nvidia 0000:17:00.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)",
    code: "pcie-errors",
    class: "watch",
    where: at("0000:17:00.0"),
  },
  {
    line: "nvidia 0000:17:00.0: AER: PCIe Bus Error: severity=Uncorrected (Fatal), type=Transaction Layer",
    code: "pcie-fatal",
    class: "inspect",
    where: at("0000:17:00.0"),
  },
  {
    line: "amdgpu 0000:c3:00.0: PCIe Bus Error: severity=Uncorrected (Non-Fatal), type=Transaction Layer",
    code: "pcie-errors",
    class: "watch",
    where: at("0000:c3:00.0"),
  },
];

const SILENT: readonly string[] = [
  "NVRM: loading NVIDIA UNIX x86_64 Kernel Module  580.105.08",
  "NVRM: GPU 0000:2a:00.0: GPU serial number is 1650000000001.",
  "NVRM: GPU4 RPC history (CPU -> GSP):",
  "NVRM: Xid (PCI:nonsense): 79, x",
  "python3[4242]: NVRM: Xid (PCI:0000:17:00): 79, GPU has fallen off the bus.",
  'audit: comm="NVRM: Xid (PCI:0000:17:00): 79"',
  "amdgpu 0000:26:00.0: amdgpu: PSP TMR setup is done",
  "xe 0000:03:00.0: [drm] Using GuC firmware from xe/bmg_guc_70.bin",
  "usb 1-1: GPU reset begin!",
  "nvidia-nvswitch3: open (major=510)",
  "",
];

describe("what the kernel says of GPUs", () => {
  it("has a class and an action for each of the 176 numbers", () => {
    expect(XIDS.size).toBe(176);
    expect(classOf.size).toBe(176);
    expect([...XIDS].filter(([code, rule]) => rule.class !== classOf.get(code))).toEqual([]);
    expect([...XIDS.values()].every(({ action, name }) => action.length > 0 && name.length > 0)).toBe(true);
  });

  it("demand 20: is read from 176 lines with an Xid: class, GPU and process", () => {
    const wrong = XID_LINES.filter(({ code, line, pciAddress, pid }) => {
      const finding = findingOfLine(line, { at: AT });
      const isRight = finding?.code === `xid-${code}` && finding.class === classOf.get(code) && finding.at === AT;
      return !isRight || JSON.stringify(finding.where) !== JSON.stringify({ pciAddress }) || finding.pid !== pid;
    });

    expect(wrong).toEqual([]);
  });

  it.each(OTHERS)("is read from: $line", ({ line, ...expected }) => {
    expect(findingOfLine(line, { at: AT })).toMatchObject(expected);
  });

  it.each(SILENT)("is not found in: %s", (line) => {
    expect(findingOfLine(line, { at: AT })).toBeUndefined();
  });

  it.each([
    [48, "reset"],
    [63, "reset-when-idle"],
    [94, "restart-program"],
    [79, "reboot"],
    [74, "check-fabric"],
    [78, "update-driver"],
  ])("calls for an action that is the number's own: %i", (code, action) => {
    expect(xidRule(code).action).toBe(action);
  });

  it("is classed as the site says, where it says so", () => {
    const line = "NVRM: Xid (PCI:0000:17:00): 13, Graphics Exception";

    expect(findingOfLine(line, { at: AT, overrides: { 13: "inspect" } })).toMatchObject({ class: "inspect" });
    expect(xidRule(13, { 13: "inspect" })).toMatchObject({ action: "inspect" });
    expect(findingOfLine(line, { at: AT, overrides: { 14: "inspect" } })).toMatchObject({ class: "application" });
  });

  it("is an echo where it follows from something else, but not where the driver asks for something", () => {
    const echo = (line: string): boolean | undefined =>
      findingOfLine(`NVRM: Xid (PCI:0000:17:00): ${line}`, { at: AT })?.echo;

    expect(["43, x", "45, x", "171, x", "172, x"].map(echo)).toEqual([true, true, true, true]);
    expect(["31, x", "79, x"].map(echo)).toEqual([false, false]);
    expect(echo("154, GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)")).toBe(false);
  });
});
