/**
 * The metadata of the real network's runtime. It lies beside the project and not in it; suites that need it are skipped, and
 * say so, where it is missing.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../../../shared/chain/", import.meta.url));

export const hasChainFiles = existsSync(`${folder}finney-424.scale`);

export function realMetadata(): string {
  return `0x${readFileSync(`${folder}finney-424.scale`).toString("hex")}`;
}

/** The same, but what it calls serve_axon is another call: its index is the byte before its documentation. */
export function lyingMetadata(): string {
  const bytes = Buffer.from(realMetadata().slice(2), "hex");
  const documentation = bytes.indexOf("Serves or updates axon", bytes.indexOf("serve_axon"));
  bytes.writeUInt8(0xfe, documentation - 4);
  return `0x${bytes.toString("hex")}`;
}

/** The lines of golden-vectors.txt that begin with `name`: what follows it. */
export function goldenVector(name: string): string {
  const lines = readFileSync(`${folder}golden-vectors.txt`, "utf8").split("\n");
  const line = lines.find((text) => text.startsWith(`${name} `));
  if (line === undefined) throw new Error(`there is no golden vector for ${name}`);
  return line.slice(name.length + 1).trim();
}
