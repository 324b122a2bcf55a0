/**
 * The XML of nvidia-smi as nested records, in the shape that node-nvidia-smi gives it: one element of a name is a value, several
 * are a list, attributes are under `$`. It reads no other XML: no entities but the five, no namespaces, nothing external.
 */
import { AppError } from "../../../../protocol/errors.ts";

export type XmlNode = string | XmlRecord;
export interface XmlRecord {
  [name: string]: XmlNode | XmlNode[] | Record<string, string>;
}

const TOKEN =
  /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<![^>]*>|<(?<close>\/?)(?<name>[\w.:-]+)(?<attributes>[^<>]*?)(?<empty>\/?)>|(?<text>[^<]+)/g;
const ATTRIBUTE = /([\w.:-]+)\s*=\s*"([^"]*)"/g;
const DEEPEST = 40;

interface Open {
  readonly name: string;
  readonly record: XmlRecord;
  text: string;
}

/** Throws `command-failed` for what is not whole. */
export function parseXml(text: string): XmlRecord {
  const root: Open = { name: "", record: nothing(), text: "" };
  const stack: Open[] = [root];
  for (const { groups = {} } of text.matchAll(TOKEN)) {
    const top = stack.at(-1) ?? root;
    if (groups["text"] !== undefined) top.text += groups["text"];
    if (groups["name"] === undefined) continue;
    if (groups["close"] === "/") {
      if (stack.length < 2 || top.name !== groups["name"]) throw malformed(`</${groups["name"]}> closes nothing`);
      stack.pop();
      append(stack.at(-1) ?? root, top);
      continue;
    }
    const opened: Open = { name: groups["name"], record: attributesOf(groups["attributes"] ?? ""), text: "" };
    if (groups["empty"] === "/") append(top, opened);
    else if (stack.push(opened) > DEEPEST) throw malformed("it nests too deep");
  }
  if (stack.length !== 1) throw malformed(`<${stack.at(-1)?.name}> is not closed`);
  return root.record;
}

/** Without a prototype, so that no name in the text means anything of its own. */
function nothing(): XmlRecord {
  const record: XmlRecord = {};
  Object.setPrototypeOf(record, null);
  return record;
}

function attributesOf(text: string): XmlRecord {
  const record = nothing();
  const pairs = [...text.matchAll(ATTRIBUTE)].map(([, name = "", value = ""]) => [name, plain(value)] as const);
  if (pairs.length > 0) record["$"] = Object.fromEntries(pairs);
  return record;
}

function append(parent: Open, { name, record, text }: Open): void {
  const words = plain(text.trim());
  const value = Object.keys(record).length === 0 ? words : record;
  const before = parent.record[name];
  if (before === undefined) parent.record[name] = value;
  else parent.record[name] = Array.isArray(before) ? [...before, value] : [asNode(before), value];
}

function asNode(value: XmlNode | Record<string, string>): XmlNode {
  return value;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function plain(text: string): string {
  return text.replaceAll(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => ENTITIES[name] ?? "");
}

function malformed(why: string): AppError {
  return new AppError("command-failed", { message: `The XML is not whole: ${why}.` });
}
