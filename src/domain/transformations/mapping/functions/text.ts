import { RE2JS } from "re2js";
import { ValueFault } from "../value-fault.ts";
import {
  constant,
  type MappingFunctions,
  optional,
  optionalConstant,
  required,
  TEXT_MAX,
} from "./mapping-function.ts";

const text = required("text", "text");

/** Longest regular expression, in characters. */
const PATTERN_MAX = 500;

/** Longest text that a regular expression searches: RE2 is linear, but slow. */
const SEARCHED_MAX = 262_144;

/** A function of one text. */
const ofText = (summary: string, change: (text: string) => unknown) => ({
  summary,
  parameters: [text],
  make: () => (args: readonly unknown[]) => change(args[0] as string),
});

function bounded(length: number): void {
  if (length > TEXT_MAX)
    throw new ValueFault("invalid_value", `the text has more than ${TEXT_MAX} characters`);
}

/** @throws {ValueFault} for what RE2 does not take, for example a look-behind */
export function compilePattern(pattern: unknown): RE2JS {
  if (typeof pattern !== "string" || pattern.length > PATTERN_MAX)
    throw new ValueFault(
      "invalid_pattern",
      `the pattern must be a text of at most ${PATTERN_MAX} characters`,
    );
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 200) : "";
    throw new ValueFault("invalid_pattern", `the pattern is no RE2 regular expression: ${reason}`);
  }
}

/**
 * Patterns that mean the same to RE2 and to JavaScript and cannot go back on a choice: characters and classes of ASCII,
 * each once. JavaScript's own engine searches them in a twentieth of RE2's time.
 */
const FIXED_PATTERN = /^\^?(?:[A-Za-z0-9 _@#,:;=<>!%&"'~/-]|\[[A-Za-z0-9 -]+\]|\\d){1,16}\$?$/;

function compileTest(pattern: unknown): (value: string) => boolean {
  const compiled = compilePattern(pattern);
  if (!FIXED_PATTERN.test(pattern as string)) return (value) => compiled.matcher(value).find();
  const native = new RegExp(pattern as string);
  return (value) => native.test(value);
}

function searched(value: unknown): string {
  const found = value as string;
  if (found.length <= SEARCHED_MAX) return found;
  throw new ValueFault(
    "invalid_value",
    `a text of more than ${SEARCHED_MAX} characters cannot be searched by a pattern`,
  );
}

function replaceAll(value: string, search: string, replacement: string): string {
  if (search === "") return value;
  let count = 0;
  for (let at = value.indexOf(search); at >= 0; at = value.indexOf(search, at + search.length)) count++;
  bounded(value.length + count * (replacement.length - search.length));
  return value.replaceAll(search, () => replacement);
}

function pad(args: readonly unknown[], isStart: boolean): string {
  const [value, width, filler = " "] = args as [string, number, string?];
  if (filler === "") return value;
  bounded(width);
  return isStart ? value.padStart(width, filler) : value.padEnd(width, filler);
}

const PAD = [text, required("width", "integer"), optional("filler", "text")];

const SURROGATE = /[\ud800-\udfff]/;

function slice(args: readonly unknown[]): string {
  const [value, start, length] = args as [string, number, number?];
  // Without surrogate pairs a character is a unit of the text, and nothing has to be taken apart.
  const characters = SURROGATE.test(value) ? Array.from(value) : value;
  const from = start < 0 ? Math.max(0, characters.length + start) : start;
  const part = characters.slice(from, length === undefined ? undefined : from + Math.max(0, length));
  return typeof part === "string" ? part : part.join("");
}

const words = (value: string): string =>
  value
    .toLowerCase()
    .replaceAll(
      /(^|[\s\-/(])(\p{L})/gu,
      (_, before: string, letter: string) => before + letter.toUpperCase(),
    );

/** Functions of texts. */
export const TEXT_FUNCTIONS: MappingFunctions = {
  upper: ofText("Capital letters", (value) => value.toUpperCase()),
  lower: ofText("Small letters", (value) => value.toLowerCase()),
  titleCase: ofText("Every word with a capital letter", words),
  trim: ofText("Without blanks at both ends", (value) => value.trim()),
  collapse: ofText("Blanks and line breaks in a row become one blank", (value) =>
    value.replaceAll(/\s+/g, " ").trim(),
  ),
  digits: ofText("Its digits only", (value) => value.replaceAll(/[^0-9]/g, "")),
  ascii: ofText("Accents taken off, other characters that are not ASCII left out", (value) =>
    value.normalize("NFKD").replaceAll(/[^\x20-\x7e\t\r\n]/g, ""),
  ),
  length: ofText("Number of its characters", (value) => Array.from(value).length),
  text: ofText("A number or truth value as text", (value) => value),
  substring: {
    summary: "Characters from a place on (0 is the first, -1 the last), at most so many",
    parameters: [text, required("start", "integer"), optional("length", "integer")],
    make: () => slice,
  },
  padStart: {
    summary: "Filled up in front to a width",
    parameters: PAD,
    make: () => (args) => pad(args, true),
  },
  padEnd: { summary: "Filled up behind to a width", parameters: PAD, make: () => (args) => pad(args, false) },
  replace: {
    summary: "Every occurrence of a text by another",
    parameters: [text, required("search", "text"), required("replacement", "text")],
    make: () => (args) => replaceAll(...(args as [string, string, string])),
  },
  replacePattern: {
    summary: "Every match of a regular expression (RE2) by a text; $1 is its first group, $& the match",
    parameters: [text, constant("pattern", "text"), required("replacement", "text")],
    make: (constants) => {
      const pattern = compilePattern(constants[1]);
      return (args) => {
        const replaced = pattern.matcher(searched(args[0])).replaceAll(args[2] as string);
        bounded(replaced.length);
        return replaced;
      };
    },
  },
  extract: {
    summary:
      "What a regular expression (RE2) finds: its first group, or the one named by number; missing if nothing",
    parameters: [text, constant("pattern", "text"), optionalConstant("group", "integer")],
    make: (constants) => {
      const pattern = compilePattern(constants[1]);
      const group = (constants[2] as number | undefined) ?? Math.min(1, pattern.groupCount());
      if (group < 0 || group > pattern.groupCount())
        throw new ValueFault("invalid_argument", `the pattern has ${pattern.groupCount()} groups`);
      return (args) => {
        const matcher = pattern.matcher(searched(args[0]));
        return matcher.find() ? (matcher.group(group) ?? undefined) : undefined;
      };
    },
  },
  matches: {
    summary: "Whether a regular expression (RE2) occurs in it",
    parameters: [text, constant("pattern", "text")],
    make: (constants) => {
      const test = compileTest(constants[1]);
      return (args) => test(searched(args[0]));
    },
  },
  split: {
    summary: "A list of the parts between separators",
    parameters: [text, required("separator", "text")],
    make: () => (args) => {
      const [value, separator] = args as [string, string];
      return value === "" ? [] : separator === "" ? Array.from(value) : value.split(separator);
    },
  },
  contains: {
    summary: "Whether a text stands in it",
    parameters: [text, required("search", "text")],
    make: () => (args) => (args[0] as string).includes(args[1] as string),
  },
  startsWith: {
    summary: "Whether it begins with a text",
    parameters: [text, required("search", "text")],
    make: () => (args) => (args[0] as string).startsWith(args[1] as string),
  },
  endsWith: {
    summary: "Whether it ends with a text",
    parameters: [text, required("search", "text")],
    make: () => (args) => (args[0] as string).endsWith(args[1] as string),
  },
};
