/**
 * Walking a parsed document whose shape nobody promises: blocks may be texts, lists may be single, names may be missing.
 */
export type Node = unknown;

export function isBlock(node: Node): node is Readonly<Record<string, unknown>> {
  return typeof node === "object" && node !== null && !Array.isArray(node);
}

/** What is at the end of these names; undefined where one of them is not there. */
export function at(node: Node, ...names: readonly string[]): Node {
  return names.reduce<Node>(
    (block, name) => (isBlock(block) && Object.hasOwn(block, name) ? block[name] : undefined),
    node,
  );
}

/** One or several, as a list; none where there is nothing. */
export function all(node: Node): readonly Node[] {
  if (node === undefined || node === "") return [];
  return Array.isArray(node) ? node : [node];
}

/** The text at the end of these names; undefined where there is none. */
export function text(node: Node, ...names: string[]): string | undefined {
  const found = at(node, ...names);
  return typeof found === "string" ? found : undefined;
}
