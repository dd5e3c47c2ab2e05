import { parseArgs } from "node:util";

/** A mistake in the command line: shown with the help text instead of a stack trace. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** One flag of a benchmark: how it is read, and what the help says. */
export interface Flag<T> {
  about: string;
  /** Shown behind the name: `<requests/s>`; empty for a switch. */
  hint: string;
  /** Shown as the default; empty: none. */
  fallbackText: string;
  /** @throws UsageError when the text is no value for the flag */
  read(given: string | boolean | undefined, name: string): T;
}

export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

export type FlagValues<F extends FlagTable> = { [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

interface NumberRange {
  hint: string;
  fallback: number;
  min: number;
  max: number;
}

/** A whole number within bounds, so that a slip of the keyboard does not ask for a million connections. */
export function wholeNumber(about: string, range: NumberRange): Flag<number> {
  return {
    about: `${about} (${range.min} to ${range.max})`,
    hint: `<${range.hint}>`,
    fallbackText: String(range.fallback),
    read(given, name) {
      if (given === undefined) return range.fallback;
      const value = Number(given);
      if (/^\d+$/.test(String(given)) && value >= range.min && value <= range.max) return value;
      throw new UsageError(
        `--${name} must be a whole number from ${range.min} to ${range.max}, not "${given}"`,
      );
    },
  };
}

/** A list of whole numbers, comma-separated. */
export function wholeNumbers(
  about: string,
  range: Omit<NumberRange, "fallback"> & { fallback: readonly number[] },
): Flag<number[]> {
  const one = wholeNumber(about, { ...range, fallback: range.min });
  return {
    about: one.about,
    hint: `<${range.hint},…>`,
    fallbackText: range.fallback.join(","),
    read: (given, name) =>
      given === undefined
        ? [...range.fallback]
        : String(given)
            .split(",")
            .map((item) => one.read(item.trim(), name)),
  };
}

/** Any text; with `required` a missing one is a mistake. */
export function requiredText(about: string, hint: string): Flag<string> {
  return {
    about,
    hint: `<${hint}>`,
    fallbackText: "",
    read(given, name) {
      if (typeof given === "string" && given !== "") return given;
      throw new UsageError(`--${name} <${hint}> is missing: ${about}`);
    },
  };
}

/** A text that may be left out. */
export function optionalText(about: string, hint: string): Flag<string | undefined> {
  return {
    about,
    hint: `<${hint}>`,
    fallbackText: "",
    read: (given) => (typeof given === "string" && given !== "" ? given : undefined),
  };
}

/** One of a few words. */
export function choice<T extends string>(about: string, words: readonly T[], fallback: T): Flag<T> {
  return {
    about,
    hint: words.join("|"),
    fallbackText: fallback,
    read(given, name) {
      if (given === undefined) return fallback;
      const word = words.find((candidate) => candidate === given);
      if (word !== undefined) return word;
      throw new UsageError(`--${name} must be one of ${words.join(", ")}, not "${given}"`);
    },
  };
}

/** True when the flag is given. */
export function toggle(about: string): Flag<boolean> {
  return { about, hint: "", fallbackText: "", read: (given) => given === true };
}

/**
 * Reads the arguments of a benchmark against its table of flags; `--rate 100` and `--rate=100` are the same.
 *
 * @throws UsageError for an unknown flag, a missing or an impossible value
 */
export function readFlags<F extends FlagTable>(table: F, args: readonly string[]): FlagValues<F> {
  const given = parseWords(table, args);
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(table)) values[name] = flag.read(given[name], name);
  return values as FlagValues<F>;
}

function parseWords(table: FlagTable, args: readonly string[]): Record<string, string | boolean | undefined> {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, flag]) => [
      name,
      { type: flag.hint === "" ? ("boolean" as const) : ("string" as const) },
    ]),
  );
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

const NAME_WIDTH = 30;

/** The table as lines of help: name, meaning, default. */
export function describeFlags(table: FlagTable): string {
  return Object.entries(table)
    .map(([name, flag]) => {
      const fallback = flag.fallbackText === "" ? "" : ` [${flag.fallbackText}]`;
      const words = `--${name} ${flag.hint}`.trimEnd();
      const gap = words.length > NAME_WIDTH ? `\n${" ".repeat(NAME_WIDTH + 3)}` : " ";
      return `  ${words.padEnd(NAME_WIDTH)}${gap}${flag.about}${fallback}`;
    })
    .join("\n");
}
