/**
 * Reads the plain YAML that tools write for CDI: blocks of mappings and lists, texts in quotes or without, comments. What it
 * does not know it refuses, so that nothing is ever misread. Pure.
 */

interface Line {
  readonly indent: number;
  readonly text: string;
}

type Found = readonly [value: unknown, next: number];

const KEY = /^("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z_][^:]*?)\s*:(?:\s+(.*))?$/;

/** The document as JSON would have it. Throws a SyntaxError for what is not of this kind. */
export function readSpecText(text: string): unknown {
  if (text.trimStart().startsWith("{")) return JSON.parse(text);
  const lines = text.split("\n").flatMap((line) => lineOf(line));
  if (lines.length === 0) return undefined;
  const [value, next] = blockAt(lines, 0);
  if (next !== lines.length) throw unknown(lines[next]);
  return value;
}

function lineOf(line: string): Line[] {
  const text = line.trim();
  if (text === "" || text.startsWith("#") || text === "---" || text === "...") return [];
  return [{ indent: line.search(/\S/), text }];
}

function blockAt(lines: readonly Line[], at: number): Found {
  const first = lines[at];
  if (first === undefined) return [null, at];
  return isItem(first.text) ? listAt(lines, at, first.indent) : mappingAt(lines, at, first.indent);
}

function isItem(text: string): boolean {
  return text === "-" || text.startsWith("- ");
}

function listAt(lines: readonly Line[], start: number, indent: number): Found {
  const items: unknown[] = [];
  let at = start;
  for (let line = lines[at]; line?.indent === indent && isItem(line.text); line = lines[at]) {
    const rest = line.text.slice(1).trimStart();
    const [item, next] = itemAt(lines, at, { indent: indent + line.text.length - rest.length, text: rest });
    items.push(item);
    at = next;
  }
  return [items, at];
}

/** What stands behind a dash may be the first line of a block, as deep as where it stands. */
function itemAt(lines: readonly Line[], at: number, inner: Line): Found {
  if (inner.text === "") return blockAt(lines, at + 1);
  if (!isItem(inner.text) && !KEY.test(inner.text)) return [scalar(inner), at + 1];
  const [value, next] = blockAt([inner, ...lines.slice(at + 1)], 0);
  return [value, at + next];
}

function mappingAt(lines: readonly Line[], start: number, indent: number): Found {
  const entries: [string, unknown][] = [];
  let at = start;
  for (let line = lines[at]; line?.indent === indent && !isItem(line.text); line = lines[at]) {
    const [, key, value] = KEY.exec(line.text) ?? [];
    if (key === undefined) throw unknown(line);
    const [inner, next] =
      value === undefined ? innerAt(lines, at + 1, indent) : [scalar({ indent, text: value }), at + 1];
    entries.push([String(scalar({ indent, text: key })), inner]);
    at = next;
  }
  return [Object.fromEntries(entries), at];
}

/** A list may stand as far left as the key that it belongs to. */
function innerAt(lines: readonly Line[], at: number, indent: number): Found {
  const line = lines[at];
  if (line === undefined) return [null, at];
  const isInside = line.indent > indent || (line.indent === indent && isItem(line.text));
  return isInside ? blockAt(lines, at) : [null, at];
}

function scalar(line: Line): unknown {
  const text = line.text.startsWith('"') || line.text.startsWith("'") ? line.text : line.text.replace(/\s+#.*$/, "");
  if (text === "[]") return [];
  if (text === "{}") return {};
  if (text.startsWith('"')) return JSON.parse(text);
  if (/^'(?:[^']|'')*'$/.test(text)) return text.slice(1, -1).replaceAll("''", "'");
  if (/^['"[\]{},&*!|>%@`]/.test(text)) throw unknown(line);
  if (/^(?:null|~)$/.test(text)) return null;
  if (/^(?:true|false)$/.test(text)) return text === "true";
  return /^-?\d+$/.test(text) ? Number(text) : text;
}

function unknown(line: Line | undefined): SyntaxError {
  return new SyntaxError(`It is not the YAML that is read here: ${line?.text ?? "its end"}`);
}
