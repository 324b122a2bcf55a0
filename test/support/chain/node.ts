/**
 * A small node of the chain for tests: the real runtime's metadata, one subnet in memory, a block for each transaction.
 * It decodes and verifies what is submitted and refuses by the rules of serve_axon, in either form that runtimes use.
 */
import { createRequire } from "node:module";

import type { ApiPromise } from "@polkadot/api";

import { initHotkeys, verifySignature } from "../../../common/hotkey.ts";
import { realMetadata } from "./metadata.ts";
import { type Methods, RpcError, startRpcServer, type Tell } from "./ws-rpc.ts";

export const FINNEY = "0x2f0555cc76fc2840a25a6ea3b9637146806f1f44b090c175ffde2a7e5ab36c03";
const SPEC_VERSION = 424;
const EVENTS_KEY = "0x26aa394eea5630e07c48ae0c9558cef780d41e5e16056765bc8461851072c9d7";

const METAGRAPH_TYPE = "Option<PalletSubtensorRpcInfoMetagraphSelectiveMetagraph>";

export interface NodeNeuron {
  hotkey: string;
  permit: boolean;
  stakeRao: bigint;
  incentive: number;
  emissionRao: bigint;
  axon: { block: number; version: number; ip: bigint; port: number; ipType: number; protocol: number };
}

export const NO_AXON: NodeNeuron["axon"] = { block: 0, version: 0, ip: 0n, port: 0, ipType: 4, protocol: 0 };

type Registry = ApiPromise["registry"];
interface Call {
  args: { toString(): string }[];
  toHex(): string;
}

export class ChainNode {
  genesis = FINNEY;
  fault: "none" | "hangs" | "429" = "none";
  /** In which form a refusal comes. */
  refusesBy: "pool" | "block" = "pool";
  block = 5_000_000;
  servingRateLimit = 50;
  neurons: NodeNeuron[] = [];
  /** The calls of all extrinsics whose signature held, as hex. */
  readonly calls: string[] = [];
  /** Of all runtime calls, as hex. */
  readonly parameters: string[] = [];
  metadata = realMetadata();
  readonly #inBlock = new Map<string, { extrinsics: string[]; events: string }>();
  readonly #numbers = new Map<string, number>();
  #registry: Registry | undefined;

  /** The runtime's types, known once a client of ours has read the metadata from this node. */
  async learnTypes(url: string): Promise<void> {
    await initHotkeys();
    const { ApiPromise: Api, WsProvider } = createRequire(import.meta.url)("@polkadot/api");
    const api: ApiPromise = await new Api({ provider: new WsProvider(url), noInitWarn: true }).isReadyOrError;
    this.#registry = api.registry;
    await api.disconnect();
  }

  methods(): Methods {
    const hash = (): string => this.#hashOf(this.block);
    return {
      rpc_methods: () => ({ methods: Object.keys(this.methods()) }),
      system_chain: () => "Bittensor",
      system_properties: () => ({ ss58Format: 42, tokenDecimals: 9, tokenSymbol: "TAO" }),
      system_health: () => ({ peers: 8, isSyncing: false, shouldHavePeers: true }),
      system_accountNextIndex: () => 3,
      chain_getBlockHash: ([number]) => (number === 0 ? this.genesis : hash()),
      chain_getFinalizedHead: hash,
      chain_getHeader: ([at]) => this.#header(at),
      chain_getBlock: ([at]) => ({
        block: { header: this.#header(at), extrinsics: this.#inBlock.get(String(at))?.extrinsics ?? [] },
        justifications: null,
      }),
      state_getMetadata: () => this.metadata,
      state_getRuntimeVersion: () => this.#runtimeVersion(),
      state_subscribeRuntimeVersion: (_, tell) => {
        tell("versions", "state_runtimeVersion", this.#runtimeVersion());
        return "versions";
      },
      state_unsubscribeRuntimeVersion: () => true,
      state_getStorage: ([key, at]) => (key === EVENTS_KEY ? this.#inBlock.get(String(at))?.events : null) ?? null,
      state_call: ([name, parameters]) => {
        this.parameters.push(String(parameters));
        return this.#runtimeCall(String(name));
      },
      author_submitAndWatchExtrinsic: ([hex], tell) => this.#submit(String(hex), tell),
      author_unwatchExtrinsic: () => true,
    };
  }

  #types(): Registry {
    if (this.#registry === undefined) throw new Error("the node has not learnt its types");
    return this.#registry;
  }

  #header(at: unknown) {
    return headerOf(this.#numbers.get(String(at)) ?? this.block);
  }

  /** Clients work the hash out from the header. */
  #hashOf(block: number): string {
    const hash = this.#types().createType("Header", headerOf(block)).hash.toHex();
    this.#numbers.set(hash, block);
    return hash;
  }

  #runtimeVersion() {
    const names = { specName: "node-subtensor", implName: "node-subtensor" };
    const versions = { specVersion: SPEC_VERSION, implVersion: 1, authoringVersion: 1, transactionVersion: 1 };
    return { ...names, ...versions, apis: [], stateVersion: 1 };
  }

  #runtimeCall(name: string): string {
    if (name === "AccountNonceApi_account_nonce") return "0x03000000";
    if (name !== "SubnetInfoRuntimeApi_get_selective_metagraph") throw new RpcError(4003, `no runtime call ${name}`);
    const { neurons } = this;
    const answer = {
      netuid: 51,
      block: this.block,
      tempo: 360,
      servingRateLimit: this.servingRateLimit,
      hotkeys: neurons.map(({ hotkey }) => hotkey),
      axons: neurons.map(({ axon }) => axon),
      validatorPermit: neurons.map(({ permit }) => permit),
      emission: neurons.map(({ emissionRao }) => emissionRao),
      incentives: neurons.map(({ incentive }) => incentive),
      blockAtRegistration: neurons.map(() => 4_000_000),
      totalStake: neurons.map(({ stakeRao }) => stakeRao),
    };
    // The hex of an option would be that of what is in it.
    const bytes = this.#types().createType(METAGRAPH_TYPE, answer).toU8a();
    return `0x${Buffer.from(bytes).toString("hex")}`;
  }

  #submit(hex: string, tell: Tell): string {
    const call = this.#verified(hex);
    const refusal = this.#refusalOf(call);
    if (refusal !== undefined && this.refusesBy === "pool")
      throw new RpcError(1010, "Invalid Transaction", `Custom error: ${refusal.custom}`);
    this.block += 1;
    const at = this.#hashOf(this.block);
    this.#inBlock.set(at, { extrinsics: [hex], events: this.#events(refusal?.name) });
    const id = `sub${this.block}`;
    tell(id, "author_extrinsicUpdate", "ready");
    tell(id, "author_extrinsicUpdate", { inBlock: at });
    return id;
  }

  /** The call of an extrinsic whose signature covers call, era, nonce and this chain's beginning. */
  #verified(hex: string): Call {
    const types = this.#types();
    const extrinsic = types.createType("Extrinsic", hex) as unknown as {
      signer: { toString(): string };
      signature: { toU8a(): Uint8Array };
      method: Call;
      era: { asMortalEra: { birth(block: number): number } };
      nonce: unknown;
    };
    const { method, era, nonce } = extrinsic;
    const payload = types.createType(
      "ExtrinsicPayload",
      {
        method: method.toHex(),
        era,
        nonce,
        tip: 0,
        specVersion: SPEC_VERSION,
        transactionVersion: 1,
        genesisHash: this.genesis,
        blockHash: this.#hashOf(era.asMortalEra.birth(this.block)),
      },
      { version: 4 },
    ) as unknown as { toU8a(options: { method: boolean }): Uint8Array };
    const bytes = payload.toU8a({ method: true });
    const signature = extrinsic.signature.toU8a().slice(-64);
    if (!verifySignature("sr25519", bytes, signature, extrinsic.signer.toString()))
      throw new RpcError(1010, "Invalid Transaction", "Transaction has a bad signature");
    this.calls.push(method.toHex());
    const neuron = this.neurons.find(({ hotkey }) => hotkey === extrinsic.signer.toString());
    return Object.assign(method, { neuron });
  }

  #refusalOf({ args, neuron }: Call & { neuron?: NodeNeuron }): { custom: number; name: string } | undefined {
    const [, version, ip, port, ipType, protocol] = args.map(String);
    if (neuron === undefined) return { custom: 10, name: "HotKeyNotRegisteredInNetwork" };
    if (Number(port) === 0) return { custom: 13, name: "InvalidPort" };
    if (neuron.axon.ip !== 0n && this.block - neuron.axon.block < this.servingRateLimit)
      return { custom: 12, name: "ServingRateLimitExceeded" };
    const numbers = {
      version: Number(version),
      port: Number(port),
      ipType: Number(ipType),
      protocol: Number(protocol),
    };
    neuron.axon = { block: this.block + 1, ip: BigInt(ip ?? 0), ...numbers };
    return undefined;
  }

  #events(failure: string | undefined): string {
    const types = this.#types();
    const pallet = types.metadata.pallets.find((each) => each.name.toString() === "SubtensorModule");
    const errors = types.lookup.getSiType(pallet?.errors.unwrap().type ?? 0).def.asVariant.variants;
    const index = errors.find(({ name }) => name.toString() === failure)?.index.toNumber() ?? 0;
    // One event, of the first extrinsic, of pallet 0: success, or failure with a module's error; then what it weighed.
    const what = failure === undefined ? [0] : [1, 3, 7, index, 0, 0, 0];
    const bytes = [4, 0, 0, 0, 0, 0, 0, ...what, 0, 0, 0, 0, 0];
    return `0x${Buffer.from(bytes).toString("hex")}`;
  }
}

function headerOf(block: number) {
  const none = `0x${"00".repeat(32)}`;
  const number = `0x${block.toString(16)}`;
  return { parentHash: `0x${"11".repeat(32)}`, number, stateRoot: none, extrinsicsRoot: none, digest: { logs: [] } };
}

/** A node that listens on loopback until it is disposed of. */
export async function startChainNode() {
  const node = new ChainNode();
  const server = await startRpcServer({ methods: () => node.methods(), fault: () => node.fault });
  await node.learnTypes(server.url);
  return Object.assign(node, server);
}
