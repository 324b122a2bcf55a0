/**
 * Reads the project from disk for the architecture rules: every text file that belongs to it, nothing that is built or fetched.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { TextFile } from "./project.ts";

const NOT_OURS: ReadonlySet<string> = new Set([".git", ".state", "coverage", "dist", "node_modules"]);

export function readProject(root: string, folder = ""): TextFile[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (NOT_OURS.has(entry.name) || entry.name.endsWith(".log")) return [];
    if (entry.isDirectory()) return readProject(root, path);
    if (!entry.isFile()) return [];
    const source = readFileSync(join(root, path), "utf8");
    return source.includes("\0") ? [] : [{ path, source }];
  });
}
