/**
 * The kernel's own topology of AMD's compute devices: partitions, memory, and the XGMI links between them.
 * Reads /sys/class/kfd/kfd/topology, or a copy of it.
 */
import { isUnavailable, knownOr } from "../known.ts";
import { formatPciAddress } from "../pci-address.ts";
import { numberAt, type Root, textOr } from "../sysfs/root.ts";

export interface KfdNode {
  readonly node: number;
  /** Of the card: partitions of one card differ in the function alone, or not at all. */
  readonly cardAddress: string;
  /** 128 for /dev/dri/renderD128. */
  readonly renderMinor: number;
  /** 16 hex digits; undefined where the card has none. All partitions of a card have the same. */
  readonly uniqueId: string | undefined;
  readonly memoryBytes: number | undefined;
  readonly maxCoreMhz: number | undefined;
  readonly links: readonly KfdLink[];
}

export interface KfdLink {
  readonly to: number;
  readonly isXgmi: boolean;
  readonly weight: number;
}

const KFD_NODES = "/sys/class/kfd/kfd/topology/nodes";
const XGMI = 11;
const VRAM_HEAPS = [1, 2];

/** The nodes that are GPUs, in KFD's order. */
export function readKfdNodes(root: Root, folder: string = KFD_NODES): KfdNode[] {
  return root
    .names(folder)
    .filter((name) => /^\d+$/.test(name))
    .toSorted((a, b) => Number(a) - Number(b))
    .flatMap((name) => {
      const properties = propertiesAt(root, `${folder}/${name}/properties`);
      const renderMinor = Number(properties.get("drm_render_minor") ?? 0);
      if (renderMinor <= 0) return [];
      return [
        {
          ...identityOf(properties),
          node: Number(name),
          renderMinor,
          ...partsOf(root, `${folder}/${name}`, properties),
        },
      ];
    });
}

function identityOf(properties: Properties): Pick<KfdNode, "cardAddress" | "uniqueId"> {
  const location = Number(properties.get("location_id") ?? 0);
  const uniqueId = BigInt(properties.get("unique_id") ?? 0);
  const place = { bus: (location >> 8) & 0xff, device: (location >> 3) & 0x1f, fn: 0 };
  return {
    cardAddress: formatPciAddress({ domain: Number(properties.get("domain") ?? 0), ...place }),
    uniqueId: uniqueId === 0n ? undefined : uniqueId.toString(16).padStart(16, "0"),
  };
}

function partsOf(
  root: Root,
  at: string,
  properties: Properties,
): Pick<KfdNode, "memoryBytes" | "maxCoreMhz" | "links"> {
  const banks = root.names(`${at}/mem_banks`).map((bank) => propertiesAt(root, `${at}/mem_banks/${bank}/properties`));
  const sizes = banks
    .filter((bank) => VRAM_HEAPS.includes(Number(bank.get("heap_type"))))
    .map((bank) => Number(bank.get("size_in_bytes") ?? 0));
  const memoryBytes = Math.max(
    sizes.reduce((all, size) => all + size, 0),
    Number(properties.get("local_mem_size") ?? 0),
  );
  const maxCoreMhz = Number(properties.get("max_engine_clk_fcompute") ?? 0);
  return {
    memoryBytes: memoryBytes > 0 ? memoryBytes : undefined,
    maxCoreMhz: maxCoreMhz > 0 ? maxCoreMhz : undefined,
    links: [...linksAt(root, `${at}/io_links`), ...linksAt(root, `${at}/p2p_links`)],
  };
}

function linksAt(root: Root, folder: string): KfdLink[] {
  return root.names(folder).map((name) => {
    const link = propertiesAt(root, `${folder}/${name}/properties`);
    return {
      to: Number(link.get("node_to") ?? -1),
      isXgmi: Number(link.get("type")) === XGMI,
      weight: Number(link.get("weight") ?? 0),
    };
  });
}

type Properties = ReadonlyMap<string, string>;

function propertiesAt(root: Root, path: string): Properties {
  const lines = textOr(root, path, "").split("\n");
  return new Map(lines.map((line) => line.trim().split(/\s+/)).map(([name = "", value = ""]) => [name, value]));
}

/** The weight of the way over XGMI between two cards, by both their addresses: the least of any two of their partitions. */
export function xgmiWeights(nodes: readonly KfdNode[]): { a: string; b: string; weight: number }[] {
  const cardOf = new Map(nodes.map(({ node, cardAddress }) => [node, cardAddress]));
  const least = new Map<string, { a: string; b: string; weight: number }>();
  for (const { cardAddress, links } of nodes) {
    for (const { to, isXgmi, weight } of links) {
      const other = cardOf.get(to);
      if (!isXgmi || other === undefined || other === cardAddress) continue;
      const [a, b] = cardAddress < other ? [cardAddress, other] : [other, cardAddress];
      const known = least.get(`${a} ${b}`);
      if (known === undefined || weight < known.weight) least.set(`${a} ${b}`, { a, b, weight });
    }
  }
  return [...least.values()];
}

/** What a partition holds now; KFD is the only one to tell partitions apart. */
export function usedMemoryAt(root: Root, node: number): number | undefined {
  const used = numberAt(root, `${KFD_NODES}/${node}/mem_banks/0/used_memory`);
  return isUnavailable(used) ? undefined : knownOr(used, undefined);
}
