/**
 * Announces by one node, and waits for the block. A refusal has two forms: the pool's, at once, and the block's, by event.
 */
import type { ApiPromise, SubmittableResult } from "@polkadot/api";

import type { ChainTask, RawRefusal } from "./messages.ts";
import { customNumberIn } from "./refusals.ts";

type Work = Extract<ChainTask["work"], { do: "serve-axon" }>;
type Submittable = ReturnType<NonNullable<ApiPromise["tx"][string]>[string]>;

/** Blocks for which the signature holds. */
const ERA_BLOCKS = 128;
/** The client's word for: ask the node, which also counts what waits in its pool. */
const NEXT_NONCE = -1;

/** What the client knows how to encode. Any other extension must be empty, or our signature would cover the wrong bytes. */
const KNOWN_EXTENSIONS = new Set([
  "CheckNonZeroSender",
  "CheckSpecVersion",
  "CheckTxVersion",
  "CheckGenesis",
  "CheckMortality",
  "CheckNonce",
  "CheckWeight",
  "ChargeTransactionPayment",
  "CheckMetadataHash",
]);

/** The chain's refusal, or undefined when the announcement is in a block, as far as the node tells. Throws when the node fails. */
export async function serveAxon(
  api: ApiPromise,
  { axon, hotkey }: Work,
  sign: (bytes: Uint8Array) => Promise<Uint8Array>,
): Promise<RawRefusal | undefined> {
  refuseUnknownExtensions(api);
  const { netuid, version, ip, port, ipType, protocol } = axon;
  const extrinsic = api.tx["subtensorModule"]?.["serveAxon"]?.(netuid, version, ip, port, ipType, protocol, 0, 0);
  if (extrinsic === undefined) throw new Error("Its runtime cannot serve an axon.");
  await extrinsic.signAsync(hotkey, {
    era: ERA_BLOCKS,
    nonce: NEXT_NONCE,
    signer: {
      signRaw: async ({ data }) => {
        const signature = await sign(Buffer.from(data.slice(2), "hex"));
        return { id: 1, signature: `0x01${Buffer.from(signature).toString("hex")}` };
      },
    },
  });
  return submit(api, extrinsic);
}

function refuseUnknownExtensions({ registry }: ApiPromise): void {
  for (const { identifier, type, implicit } of registry.metadata.extrinsic.transactionExtensions) {
    const isEmpty = [type, implicit].every(
      (id) => registry.createType(registry.createLookupType(id)).toU8a().length === 0,
    );
    if (!KNOWN_EXTENSIONS.has(identifier.toString()) && !isEmpty)
      throw new Error(`Its runtime wants ${identifier.toString()} signed, which this version does not know.`);
  }
}

async function submit(api: ApiPromise, extrinsic: Submittable): Promise<RawRefusal | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<RawRefusal | undefined>();
  const follow = (result: SubmittableResult): void => {
    if (result.isError) reject(new Error(`The announcement became ${result.status.type}.`));
    else if (result.status.isInBlock) resolve(refusalIn(api, result));
  };
  extrinsic.send(follow).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    const custom = customNumberIn(message);
    if (custom === undefined && !/Invalid Transaction/i.test(message)) reject(error);
    else resolve({ message, ...(custom !== undefined && { custom }) });
  });
  return promise;
}

function refusalIn({ registry }: ApiPromise, { dispatchError }: SubmittableResult): RawRefusal | undefined {
  if (dispatchError === undefined) return undefined;
  if (!dispatchError.isModule) return { message: dispatchError.toString() };
  const { section, name } = registry.findMetaError(dispatchError.asModule);
  return { module: `${section}.${name}`, message: `${section}.${name}` };
}
