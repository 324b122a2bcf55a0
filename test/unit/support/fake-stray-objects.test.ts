/** The fake of an engine's leftovers keeps the promises of its port. */
import { strayObjectsCompliance } from "../../compliance/stray-objects.suite.ts";
import { FakeStrayObjects } from "../../support/fake-stray-objects.ts";

const objects = new FakeStrayObjects();

strayObjectsCompliance(async () => ({
  objects,
  makeVolume: async (name, labels) => void objects.volumes.push({ name, labels, createdAtMs: 1 }),
  makeNetwork: async (name, labels) => void objects.networks.push({ name, labels, createdAtMs: 1 }),
  makeContainer: async (name, { network, volume }) =>
    void objects.containers.push({
      name,
      state: "created",
      labels: {},
      createdAtMs: 1,
      networks: [network],
      volumes: [volume],
    }),
  removeContainer: async (name) => {
    objects.containers = objects.containers.filter((container) => container.name !== name);
  },
}));
