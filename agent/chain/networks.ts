/**
 * The networks as everybody knows them. A node is believed only when its chain began with this block.
 */
interface Network {
  readonly genesis?: string;
  readonly endpoints: readonly string[];
}

export const NETWORKS: Readonly<Record<"finney" | "test" | "development", Network>> = {
  finney: {
    genesis: "0x2f0555cc76fc2840a25a6ea3b9637146806f1f44b090c175ffde2a7e5ab36c03",
    endpoints: ["wss://entrypoint-finney.opentensor.ai:443", "wss://lite.chain.opentensor.ai:443"],
  },
  test: {
    genesis: "0x8f9cf856bf558a14440e75569c9e58594757048d7b3a84b5d25f6bd978263105",
    endpoints: ["wss://test.finney.opentensor.ai:443"],
  },
  /** A chain of one's own begins anew each time. */
  development: { endpoints: [] },
};
