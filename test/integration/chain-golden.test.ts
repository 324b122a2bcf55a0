/**
 * The chain's client with the real runtime's metadata against vectors that were computed elsewhere: calls, storage keys and
 * the parameters of runtime calls, byte for byte. Where the files are not beside the project, it is skipped and says so.
 */
import { createRequire } from "node:module";

import type { ApiPromise } from "@polkadot/api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { devHotkey, initHotkeys } from "../../common/hotkey.ts";
import { goldenVector, hasChainFiles } from "../support/chain/metadata.ts";
import { startChainNode } from "../support/chain/node.ts";

const HOT = "5G6Fyo6U2fDhJXDJGp4Dr6XViVCdPcryiyLBDsusguSRcYvJ";
const ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

describe.skipIf(!hasChainFiles)("the golden vectors (need the network's files beside the project)", () => {
  let node: Awaited<ReturnType<typeof startChainNode>>;
  let api: ApiPromise;

  beforeAll(async () => {
    await initHotkeys();
    node = await startChainNode();
    const { ApiPromise: Api, WsProvider } = createRequire(import.meta.url)("@polkadot/api");
    api = await new Api({ provider: new WsProvider(node.url), noInitWarn: true }).isReadyOrError;
  });
  afterAll(async () => {
    await api.disconnect();
    await node[Symbol.asyncDispose]();
  });

  it("name the development hotkey as we do", () => {
    expect(goldenVector("hot")).toContain(devHotkey("//Alice//hot").ss58);
    expect(devHotkey("//Alice//hot").ss58).toBe(HOT);
  });

  it.each([
    ["serve_axon(51,9009000,203.0.113.7,8091,4,4,0,0)", "serveAxon", [51, 9_009_000, 3_405_803_783, 8091, 4, 4, 0, 0]],
    ["burned_register(51,hot)", "burnedRegister", [51, HOT]],
    ["register_limit(51,hot,1e9)", "registerLimit", [51, HOT, 1_000_000_000]],
  ])("hold for the call %s", (name, method, args) => {
    expect(api.tx["subtensorModule"]?.[method]?.(...args).method.toHex()).toBe(goldenVector(name));
  });

  it.each([
    ["uids", [51, HOT]],
    ["keys", [51, 7]],
    ["axons", [51, HOT]],
    ["servingRateLimit", [51]],
    ["validatorPermit", [51]],
    ["incentive", [51]],
    ["emission", [51]],
    ["burn", [51]],
    ["associatedEvmAddress", [51, 7]],
    ["totalHotkeyAlpha", [HOT, 51]],
    ["blockAtRegistration", [51, 7]],
    ["owner", [HOT]],
  ])("hold for the storage key of %s", (name, args) => {
    expect(api.query["subtensorModule"]?.[name]?.key(...args)).toBe(goldenVector(`key ${name}`));
  });

  it("hold for the key of an account", () => {
    expect(api.query["system"]?.["account"]?.key(ALICE)).toBe(goldenVector("key system.account"));
  });

  it("hold for the parameters of the selective metagraph", async () => {
    const fields = [0, 52, 53, 55, 57, 60, 62, 67, 68, 69];

    await api.call["subnetInfoRuntimeApi"]?.["getSelectiveMetagraph"]?.(51, fields);

    expect(node.parameters.at(-1)).toBe(goldenVector("runtimeApi selective param"));
  });
});
