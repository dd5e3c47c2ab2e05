import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** The project's root. */
export const ROOT = join(import.meta.dirname, "../..");

/** One file of the project, path relative to the root. */
export interface SourceFile {
  path: string;
  text: string;
}

/** Files below the folders named that end in one of the endings, in order. */
export function filesBelow(folders: readonly string[], endings: readonly string[]): SourceFile[] {
  return folders
    .flatMap((folder) => walk(join(ROOT, folder)))
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .sort()
    .map((path) => ({ path: relative(ROOT, path), text: readFileSync(path, "utf8") }));
}

function walk(folder: string): string[] {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    if (entry.name === "node_modules" || entry.name.startsWith(".")) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : [path];
  });
}

/** One import of a file. */
export interface Import {
  /** Path relative to the root for our own files, else the package's name as written. */
  target: string;
  isOwn: boolean;
  isType: boolean;
}

const FROM = /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"/g;
const DYNAMIC = /\bimport\(\s*"([^"]+)"\s*\)/g;

/** All imports of a file, re-exports and dynamic ones too. */
export function importsOf(file: SourceFile): Import[] {
  const code = withoutComments(file.text);
  const found = [
    ...[...code.matchAll(FROM)].map((match) => ({ name: match[2]!, isType: match[1] !== undefined })),
    ...[...code.matchAll(DYNAMIC)].map((match) => ({ name: match[1]!, isType: false })),
  ];
  return found.map(({ name, isType }) => {
    const isOwn = name.startsWith(".");
    return { target: isOwn ? relative(ROOT, join(ROOT, dirname(file.path), name)) : name, isOwn, isType };
  });
}

/** The text without block and line comments; strings that hold `//` after a colon stay whole. */
export function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|[^:"'`\\])\/\/.*$/gm, "$1");
}
