import { ExactNumber, isDocumentObject } from "../../../platform/formats/document.ts";
import type { DateFormat, DateValue } from "./date-text.ts";
import { readDate, readDateFormat, readIsoDate } from "./date-text.ts";
import synonyms from "./freight/synonyms.json" with { type: "json" };
import { keyOf } from "./functions/lists.ts";
import { decimalIn, textOf } from "./functions/mapping-function.ts";
import type { PathStep } from "./path.ts";
import { formatSteps } from "./path.ts";
import type { MappingExpression, MappingRule, MappingRules } from "./rules.ts";
import { LIBRARY_TABLES } from "./tables.ts";
import { ValueFault } from "./value-fault.ts";

/** A first mapping from two samples of the same content, to be looked through by a person. */
export interface Suggestion {
  rules: MappingRules;
  /** Why each place gets its value; `confidence` from 0 to 1. */
  matches: { target: string; source: string; confidence: number }[];
  /** Fields of the target sample for which nothing fits. */
  unmatchedTargets: string[];
}

/** Below this nothing is suggested. */
const CONFIDENCE_MIN = 0.5;
/** Fields of one level that are compared with each other. */
const FIELDS_MAX = 400;
const DEPTH_MAX = 12;

/** A value of the source, as rules at the present place reach it. */
interface Candidate {
  path: string;
  names: readonly string[];
  value: unknown;
  /** Reached by `$root` or `$parent` instead of the element. */
  isFar: boolean;
}

/**
 * Compares names (also common other words of freight), types and values: equal ones, numbers as texts, dates in other
 * formats, codes of the library's tables.
 */
export function suggestMapping(sourceSample: unknown, targetSample: unknown): Suggestion {
  const suggestion: Suggestion = { rules: { rules: [] }, matches: [], unmatchedTargets: [] };
  const rules = suggestObject({ near: sourceSample, far: [] }, targetSample, [], 0, suggestion);
  suggestion.rules.rules.push(...rules);
  return suggestion;
}

interface Reach {
  near: unknown;
  far: readonly Candidate[];
}

function suggestObject(
  reach: Reach,
  target: unknown,
  prefix: readonly string[],
  depth: number,
  suggestion: Suggestion,
): MappingRule[] {
  const candidates = [...candidatesOf(reach.near), ...reach.far];
  const rules: MappingRule[] = [];
  const visit = (value: unknown, steps: readonly string[]): void => {
    const full = [...prefix, ...steps];
    const place = formatNames(steps);
    if (isDocumentObject(value) && steps.length < DEPTH_MAX) {
      for (const [name, member] of Object.entries(value)) visit(member, [...steps, name]);
    } else if (Array.isArray(value)) {
      const from = suggestList(reach, candidates, value, full, depth, suggestion);
      if (from === undefined) suggestion.unmatchedTargets.push(formatNames(full));
      else rules.push({ target: place, from });
    } else {
      const best = bestOf(candidates, full, value);
      if (best === undefined) return void suggestion.unmatchedTargets.push(formatNames(full));
      suggestion.matches.push({
        target: formatNames(full),
        source: best.candidate.path,
        confidence: best.confidence,
      });
      rules.push({ target: place, from: best.from });
    }
  };
  visit(target, []);
  return rules;
}

const formatNames = (names: readonly string[]): string =>
  formatSteps(names.map((name): PathStep => ({ kind: "name", name })));

/** Scalars and lists below a value, without going into lists. */
function candidatesOf(source: unknown): Candidate[] {
  const found: Candidate[] = [];
  const visit = (value: unknown, names: readonly string[]): void => {
    if (found.length >= FIELDS_MAX || names.length > DEPTH_MAX) return;
    if (isDocumentObject(value)) {
      for (const [name, member] of Object.entries(value)) visit(member, [...names, name]);
    } else {
      const path = names.length === 0 ? "$item" : formatNames(names);
      found.push({ path, names, value, isFar: false });
    }
  };
  visit(source, []);
  return found;
}

function suggestList(
  reach: Reach,
  candidates: readonly Candidate[],
  target: readonly unknown[],
  full: readonly string[],
  depth: number,
  suggestion: Suggestion,
): MappingExpression | undefined {
  const sample = target[0];
  const lists = candidates.filter(({ value, isFar }) => Array.isArray(value) && value.length > 0 && !isFar);
  if (!isDocumentObject(sample)) return suggestScalars(lists, target, full, suggestion);
  let best: { score: number; from: MappingExpression; inner: Suggestion } | undefined;
  const far = [...candidatesOf(reach.near), ...reach.far]
    .filter(({ value }) => !Array.isArray(value))
    .map((one) => ({
      ...one,
      path: one.isFar ? one.path : depth === 0 ? `$root.${one.path}` : `$parent.${one.path}`,
      isFar: true,
    }));
  for (const list of depth < DEPTH_MAX ? lists : []) {
    const items = list.value as unknown[];
    const inner: Suggestion = { rules: { rules: [] }, matches: [], unmatchedTargets: [] };
    const object = suggestObject(
      { near: items[0], far: depth === 0 ? far : [] },
      sample,
      full,
      depth + 1,
      inner,
    );
    const nearBy = inner.matches.filter(({ source }) => !source.startsWith("$"));
    const sum = nearBy.reduce((total, { confidence }) => total + confidence, 0);
    const fields = inner.matches.length + inner.unmatchedTargets.length;
    const isSameLength = items.length === target.length ? 0.1 : 0;
    const score = sum / Math.max(1, fields) + 0.3 * nameScore(full, list.names) + isSameLength;
    if (nearBy.length === 0 || (best !== undefined && best.score >= score)) continue;
    best = { score, from: { each: list.path, do: { object } }, inner };
  }
  if (best === undefined || best.score < CONFIDENCE_MIN) return undefined;
  suggestion.matches.push(...best.inner.matches);
  suggestion.unmatchedTargets.push(...best.inner.unmatchedTargets);
  return best.from;
}

/** A list of plain values: a list of the source, or one field of its elements. */
function suggestScalars(
  lists: readonly Candidate[],
  target: readonly unknown[],
  full: readonly string[],
  suggestion: Suggestion,
): MappingExpression | undefined {
  const wanted = new Set(target.map(keyOf));
  const plucked = lists.flatMap((list): Candidate[] => {
    const items = list.value as unknown[];
    if (!isDocumentObject(items[0])) return [list];
    return candidatesOf(items[0])
      .filter(({ value }) => !Array.isArray(value))
      .map(({ path, names }) => ({
        path: `${list.path}[*].${path}`,
        names: [...list.names, ...names],
        value: items.map((item) => candidatesOf(item).find((one) => one.path === path)?.value),
        isFar: false,
      }));
  });
  const scored = plucked.map((candidate) => {
    const values = (candidate.value as unknown[]).map(keyOf);
    const shared = values.filter((value) => wanted.has(value)).length / Math.max(1, values.length);
    return { candidate, confidence: Math.min(1, 0.5 * nameScore(full, candidate.names) + 0.7 * shared) };
  });
  const best = scored.toSorted((one, other) => other.confidence - one.confidence)[0];
  if (best === undefined || best.confidence < CONFIDENCE_MIN) return undefined;
  suggestion.matches.push({
    target: formatNames(full),
    source: best.candidate.path,
    confidence: best.confidence,
  });
  return best.candidate.path;
}

function bestOf(
  candidates: readonly Candidate[],
  full: readonly string[],
  value: unknown,
): { candidate: Candidate; from: MappingExpression; confidence: number } | undefined {
  let best: { candidate: Candidate; from: MappingExpression; confidence: number } | undefined;
  for (const candidate of candidates) {
    if (Array.isArray(candidate.value)) continue;
    const conversion = convertTo(candidate, value);
    const names = nameScore(full, candidate.names);
    const confidence = Math.min(1, conversion.score * 0.6 + names * 0.55) - (candidate.isFar ? 0.1 : 0);
    if (confidence < CONFIDENCE_MIN || (best !== undefined && best.confidence >= confidence)) continue;
    best = { candidate, from: conversion.from, confidence: Math.round(confidence * 100) / 100 };
  }
  return best;
}

/** How a source value becomes the target's, and how much that says. */
function convertTo({ path, value }: Candidate, wanted: unknown): { from: MappingExpression; score: number } {
  const [text, target] = [textOf(value), textOf(wanted)];
  if (text === undefined || target === undefined) return { from: path, score: value === wanted ? 0.5 : 0 };
  if (keyOf(value) === keyOf(wanted)) {
    // Short values are equal by chance.
    return { from: path, score: target.length > 2 ? 1 : 0.7 };
  }
  const isNumber = typeof wanted === "number" || wanted instanceof ExactNumber;
  if (text === target) return { from: { call: isNumber ? "number" : "text", args: [path] }, score: 0.95 };
  if (isNumber && typeof value === "string") {
    const [one, other] = [decimalIn(value), decimalIn(wanted)];
    if (one !== undefined && other !== undefined)
      return {
        from: { call: "number", args: [path] },
        score: keyOf(Number(text)) === keyOf(Number(target)) ? 0.95 : 0.4,
      };
    return { from: path, score: 0 };
  }
  if (typeof value !== typeof wanted) return { from: { call: "text", args: [path] }, score: 0.2 };
  return (
    convertDate(path, text, target) ?? convertCode(path, text, target) ?? convertCase(path, text, target)
  );
}

function convertCase(path: string, text: string, target: string): { from: MappingExpression; score: number } {
  const same = text.trim().toLowerCase() === target.trim().toLowerCase();
  if (!same) return { from: path, score: 0.4 };
  const name =
    target === target.toUpperCase() ? "upper" : target === target.toLowerCase() ? "lower" : "titleCase";
  return { from: { call: name, args: [path] }, score: 0.9 };
}

function convertCode(
  path: string,
  text: string,
  target: string,
): { from: MappingExpression; score: number } | undefined {
  for (const [table, entries] of LIBRARY_TABLES) {
    if (Object.hasOwn(entries, text) && entries[text] === target)
      return { from: { lookup: path, table }, score: 0.85 };
  }
  return undefined;
}

const FORMATS = [
  "yyyyMMdd",
  "yyyyMMddHHmm",
  "yyyyMMddHHmmss",
  "MM/dd/yyyy",
  "M/d/yyyy",
  "MM/dd/yyyy HH:mm",
  "MM/dd/yyyy hh:mm a",
  "dd.MM.yyyy",
  "dd-MMM-yyyy",
  "yyyy/MM/dd",
  "yyyy-MM-dd HH:mm",
  "yyyy-MM-dd HH:mm:ss",
  "MMM d, yyyy",
].flatMap((text) => {
  const format = readDateFormat(text);
  return typeof format === "string" ? [] : [format];
});

interface ReadDate {
  date: DateValue;
  format: DateFormat | undefined;
}

function readAnyDate(text: string): ReadDate | undefined {
  if (text.length < 6 || text.length > 40 || !/\d/.test(text)) return undefined;
  for (const format of [undefined, ...FORMATS]) {
    try {
      const date = format === undefined ? readIsoDate(text) : readDate(text, format);
      if (date !== undefined) return { date, format };
    } catch (error) {
      if (!(error instanceof ValueFault)) throw error;
    }
  }
  return undefined;
}

function convertDate(
  path: string,
  text: string,
  target: string,
): { from: MappingExpression; score: number } | undefined {
  const [one, other] = [readAnyDate(text), readAnyDate(target)];
  if (one === undefined || other === undefined) return undefined;
  const parsed: MappingExpression =
    one.format === undefined ? path : { call: "parseDate", args: [path, { value: one.format.text }] };
  const cut: MappingExpression =
    one.date.hasTime && !other.date.hasTime ? { call: "dateOf", args: [parsed] } : parsed;
  const from: MappingExpression =
    other.format === undefined ? cut : { call: "formatDate", args: [cut, { value: other.format.text }] };
  const sameDay = Math.floor(one.date.localMs / 86_400_000) === Math.floor(other.date.localMs / 86_400_000);
  const same = one.date.localMs === other.date.localMs || (sameDay && !other.date.hasTime);
  return { from, score: same ? 0.9 : 0.4 };
}

const CANONICAL = new Map(
  synonyms.words.flatMap((words) => words.map((word) => [word, words[0] ?? word] as const)),
);

const canonical = (word: string): string => CANONICAL.get(word) ?? word;

/** Words of a name in any spelling: shipFromZip, ship_from_zip, SHIP-FROM-ZIP. */
function wordsOf(name: string): string[] {
  const whole = name.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  if (CANONICAL.has(whole)) return [canonical(whole)];
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "")
    .map((word) => canonical(word.toLowerCase()));
}

/** Likeness of two paths by the words of their last names, and a little by those before. */
function nameScore(target: readonly string[], source: readonly string[]): number {
  const last = likeness(wordsOf(target.at(-1) ?? ""), wordsOf(source.at(-1) ?? ""));
  const all = likeness(target.flatMap(wordsOf), source.flatMap(wordsOf));
  return Math.max(last * 0.75 + all * 0.25, all * 0.8);
}

function likeness(one: readonly string[], other: readonly string[]): number {
  const [a, b] = [new Set(one), new Set(other)];
  const shared = [...a].filter((word) => b.has(word)).length;
  return a.size + b.size === 0 ? 0 : (2 * shared) / (a.size + b.size);
}
