/**
 * The variables by which vendors' hooks and runtimes choose devices: whoever sets one in a spec or an image would choose for
 * himself. Specs lose them, images are overruled. Pure.
 */
import type { Grant } from "./grant.ts";

/** Read outside the pod. What filters inside it, such as CUDA_VISIBLE_DEVICES, can only narrow and is left alone. */
const SELECTORS = [
  "NVIDIA_VISIBLE_DEVICES",
  "NVIDIA_IMEX_CHANNELS",
  "NVIDIA_MIG_CONFIG_DEVICES",
  "NVIDIA_MIG_MONITOR_DEVICES",
  "NVIDIA_GDS",
  "NVIDIA_GDRCOPY",
  "NVIDIA_MOFED",
  "NVIDIA_NVSWITCH",
  "AMD_VISIBLE_DEVICES",
  "HABANA_VISIBLE_DEVICES",
  "HABANA_VISIBLE_MODULES",
] as const;

/** Taken from specs alone: images say with these what they need of a driver. */
const ALSO_STRIPPED = ["NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_DISABLE_REQUIRE"];

const STRIPPED: ReadonlySet<string> = new Set([...SELECTORS, ...ALSO_STRIPPED]);
const VENDORS_OWN = /^(?:NVIDIA_CTK_|NVIDIA_CONTAINER_|HABANA_RUNTIME_)/;

/** Left to the image or unset, this one gives old images every device there is. */
const NONE = { NVIDIA_VISIBLE_DEVICES: "void" };

/** As the engine takes it: a name without a value takes an image's own variable away. */
export function environmentOf(asked: Readonly<Record<string, string>>, grant: Grant | undefined): string[] {
  const chosen: Readonly<Record<string, string>> = { ...NONE, ...grant?.selectors };
  return [
    ...Object.entries(asked)
      .filter(([name]) => !STRIPPED.has(name) && !VENDORS_OWN.test(name))
      .map(([name, value]) => `${name}=${value}`),
    ...SELECTORS.map((name) => (chosen[name] === undefined ? name : `${name}=${chosen[name]}`)),
  ];
}
