/** That neither a spec nor an image chooses devices through variables. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { environmentOf } from "../../../../../executor/gpus/passthrough/environment.ts";
import { given } from "../../../../support/gpus/giving.ts";

const WIDENING = [
  "NVIDIA_VISIBLE_DEVICES",
  "NVIDIA_IMEX_CHANNELS",
  "NVIDIA_MIG_CONFIG_DEVICES",
  "NVIDIA_MIG_MONITOR_DEVICES",
  "NVIDIA_DRIVER_CAPABILITIES",
  "NVIDIA_DISABLE_REQUIRE",
  "NVIDIA_CTK_DEBUG",
  "NVIDIA_GDS",
  "AMD_VISIBLE_DEVICES",
  "HABANA_VISIBLE_DEVICES",
];

describe("the environment of a container", () => {
  it("loses every choice of devices that a spec makes", () => {
    fc.assert(
      fc.property(fc.subarray(WIDENING), fc.constantFrom("all", "0", "GPU-1"), (names, value) => {
        const env = environmentOf(Object.fromEntries(names.map((name) => [name, value])), undefined);

        expect(env.filter((entry) => entry.endsWith(`=${value}`))).toEqual([]);
      }),
    );
  });

  it("keeps what can only narrow the choice inside, and everything else", () => {
    const asked = { CUDA_VISIBLE_DEVICES: "0", ROCR_VISIBLE_DEVICES: "0", LD_LIBRARY_PATH: "/x", NVIDIA_PRODUCT: "y" };

    const env = environmentOf(asked, undefined);

    for (const [name, value] of Object.entries(asked)) expect(env).toContain(`${name}=${value}`);
  });

  it("overrules an image's own choice: of NVIDIA's there is none, and the others are taken away", () => {
    const env = environmentOf({}, undefined);

    expect(env).toContain("NVIDIA_VISIBLE_DEVICES=void");
    expect(env).toEqual(
      expect.arrayContaining(["NVIDIA_IMEX_CHANNELS", "AMD_VISIBLE_DEVICES", "HABANA_VISIBLE_DEVICES"]),
    );
  });

  it("has the pod's own devices where a runtime asks for them there", () => {
    const grant = given({ selectors: { NVIDIA_VISIBLE_DEVICES: "GPU-1,GPU-2" } });

    const env = environmentOf({ NVIDIA_VISIBLE_DEVICES: "all" }, grant);

    expect(env.filter((entry) => entry.startsWith("NVIDIA_VISIBLE_DEVICES"))).toEqual([
      "NVIDIA_VISIBLE_DEVICES=GPU-1,GPU-2",
    ]);
  });
});
