/** The fake keeps the promises of the port, as the real engine does. */
import { imageStoreCompliance } from "../../compliance/image-store.suite.ts";
import type { RemoteImage } from "../../support/fake-image-store.ts";
import { FakeImageStore } from "../../support/fake-image-store.ts";

imageStoreCompliance(async () => {
  const store = new FakeImageStore();
  const remote = async (name: string, over: Partial<RemoteImage> = {}): Promise<string> => {
    const reference = `registry.test/${name}:1`;
    store.registry.set(reference, { id: `sha256:${name}`, ...over });
    return reference;
  };
  const auth = { username: "renter", password: "secret" };
  return {
    store,
    fresh: () => remote("fresh"),
    guarded: async () => ({ reference: await remote("guarded", { accounts: [auth] }), auth }),
    stalling: () => remote("stalling", { slow: true }),
    missing: "registry.test/missing:1",
    use: async (reference) => {
      store.containers.set("user", (await store.image(reference))?.id ?? "");
      return async () => void store.containers.delete("user");
    },
  };
});
