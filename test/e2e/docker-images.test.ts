/** The real Docker Engine keeps the promises of the image port, with a registry on loopback. */
import { afterAll, beforeAll, onTestFinished } from "vitest";

import { imageStoreCompliance } from "../compliance/image-store.suite.ts";
import { FaultyRegistry } from "../support/registry/faulty-registry.ts";
import { makeTestImage } from "../support/registry/image-content.ts";
import { machineImages, makeContainer, removeAtEnd } from "../support/registry/image-store.ts";

const auth = { username: "renter", password: "secret" };
let registry: FaultyRegistry;
let made = 0;

beforeAll(async () => {
  registry = await new FaultyRegistry().listen();
});
afterAll(() => registry[Symbol.asyncDispose]());

async function fresh(): Promise<string> {
  made += 1;
  const reference = registry.add(await makeTestImage({ name: `compliance/${made}`, noiseBytes: [200_000] }));
  removeAtEnd(reference);
  onTestFinished(() => {
    registry.accounts = undefined;
    registry.layerFault = undefined;
  });
  return reference;
}

imageStoreCompliance(async () => ({
  store: machineImages(),
  fresh,
  guarded: async () => {
    registry.accounts = [auth];
    return { reference: await fresh(), auth };
  },
  stalling: async () => {
    registry.layerFault = { kind: "stall", afterBytes: 50_000 };
    return fresh();
  },
  missing: `${registry.address}/missing/image:1`,
  use: makeContainer,
}));
