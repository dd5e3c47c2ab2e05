import { type CalendarFields, DAY_MS, toLocalMs } from "./calendar.ts";
import { ValueFault } from "./value-fault.ts";

/** A calendar date, with a time of day or not, with an offset from UTC or not. */
export interface DateValue {
  /** Date and time as a clock on the wall shows it, in milliseconds since 1970 as if it were UTC. */
  localMs: number;
  /** Milliseconds ahead of UTC; undefined where the text does not say. */
  offsetMs: number | undefined;
  hasTime: boolean;
}

const ZERO = 48;
const MINUTE_MS = 60_000;
const ISO =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/;

function readOffset(text: string): number {
  if (text === "Z" || text === "z") return 0;
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(3).replace(":", ""));
  return minutes * MINUTE_MS * (text.startsWith("-") ? -1 : 1);
}

/**
 * Reads ISO 8601 as RFC 3339 has it: `2026-03-08`, `2026-03-08T14:30`, `2026-03-08T14:30:00.250-05:00`.
 *
 * @throws {ValueFault} for any other text
 */
export function readIsoDate(text: string): DateValue {
  const match = text.length > 40 ? null : ISO.exec(text);
  if (match === null) {
    throw new ValueFault("invalid_value", `${shown(text)} is no date as in 2026-03-08T14:30:00-05:00`);
  }
  const [, year, month, day, hour, minute, second, fraction, offset] = match;
  const localMs = toLocalMs({
    year: Number(year),
    month: Number(month),
    day: Number(day),
    hour: Number(hour ?? 0),
    minute: Number(minute ?? 0),
    second: Number(second ?? 0),
    millisecond: Math.trunc(Number(`0.${fraction ?? 0}`) * 1000),
  });
  return {
    localMs,
    offsetMs: offset === undefined ? undefined : readOffset(offset),
    hasTime: hour !== undefined,
  };
}

const digits = (value: number, width: number): string => String(value).padStart(width, "0");
const TWO_DIGITS = Array.from({ length: 100 }, (_, value) => digits(value, 2));

/** Days whose text is kept: the dates of documents are near each other. */
const DAY_TEXTS_MAX = 2_000;
const dayTexts = new Map<number, string>();

/** `2026-03-08` of days since 1970. */
function dayText(day: number): string {
  let text = dayTexts.get(day);
  if (text !== undefined) return text;
  text = new Date(day * DAY_MS).toISOString().slice(0, -14);
  if (dayTexts.size >= DAY_TEXTS_MAX) dayTexts.clear();
  dayTexts.set(day, text);
  return text;
}

/** ISO 8601; a fraction of a second only where there is one, `Z` for UTC. */
export function writeIsoDate({ localMs, offsetMs, hasTime }: DateValue): string {
  const day = Math.floor(localMs / DAY_MS);
  const date = dayText(day);
  if (!hasTime) return date;
  const ms = localMs - day * DAY_MS;
  const seconds = Math.floor(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const clock = `${TWO_DIGITS[Math.floor(minutes / 60)]}:${TWO_DIGITS[minutes % 60]}:${TWO_DIGITS[seconds % 60]}`;
  const fraction = ms % 1000 === 0 ? "" : `.${digits(ms % 1000, 3)}`;
  return `${date}T${clock}${fraction}${offsetMs === undefined ? "" : writeOffset(offsetMs, ":", "Z")}`;
}

function writeOffset(offsetMs: number, colon: string, utc: string): string {
  if (offsetMs === 0 && utc !== "") return utc;
  const minutes = Math.round(Math.abs(offsetMs) / MINUTE_MS);
  const sign = offsetMs < 0 ? "-" : "+";
  return `${sign}${TWO_DIGITS[Math.floor(minutes / 60)]}${colon}${TWO_DIGITS[minutes % 60]}`;
}

const MONTHS = "January February March April May June July August September October November December".split(
  " ",
);
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/** One field of a format (Unicode LDML, part 4: the letters), or text that stands as it is. */
interface Token {
  field: string;
  text: string;
}

/** CalendarFields and how many characters each may have; `S` any number up to 9. */
const FIELDS = new Set(
  "yyyy yy MMMM MMM MM M dd d EEEE EEE HH H hh h mm m ss s S SS SSS SSSSSS SSSSSSSSS a ZZZZZ XX Z".split(" "),
);

/** Offset with a colon, or Z: the letters of Java, beside those of LDML. */
const OFFSET = "X".repeat(3);
FIELDS.add(OFFSET);

/** A format as its author wrote it, read once. */
export interface DateFormat {
  readonly text: string;
  readonly tokens: readonly Token[];
  readonly hasTime: boolean;
  /** Characters of every text in this format; undefined where they differ. */
  readonly width: number | undefined;
  /** Where its digits and signs stand, when they always stand there. */
  readonly places: readonly FixedPlace[];
}

/** Digits of one field, or the text that stands there as it is. */
interface FixedPlace {
  /** Undefined for text. */
  field: keyof CalendarFields | undefined;
  text: string;
  from: number;
  to: number;
}

const FIXED_NAMES: Readonly<Record<string, keyof CalendarFields>> = {
  y: "year",
  M: "month",
  d: "day",
  H: "hour",
  h: "hour",
  m: "minute",
  s: "second",
  S: "millisecond",
};

/**
 * Reads a format: `yyyy-MM-dd`, `MM/dd/yyyy hh:mm a`, `yyyyMMddHHmm`, `d MMM yyyy`, `HH:mm:ss.SSSZZZZZ`. Letters are
 * those of Unicode LDML; words stand in quotes (`d 'of' MMMM`). Names of months and days are English.
 *
 * @returns a message where it is none
 */
export function readDateFormat(text: string): DateFormat | string {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length;) {
    const letter = text[at] ?? "";
    if (letter === "'") {
      const end = text.indexOf("'", at + 1);
      if (end < 0) return "a quote in the format is not closed";
      tokens.push({ field: "", text: end === at + 1 ? "'" : text.slice(at + 1, end) });
      at = end + 1;
    } else if (/[A-Za-z]/.test(letter)) {
      let end = at;
      while (text[end] === letter) end++;
      const field = text.slice(at, end);
      if (letter === "T" && field === "T") tokens.push({ field: "", text: "T" });
      else if (FIELDS.has(field)) tokens.push({ field, text: "" });
      else
        return `${field} is no field of a date format (yyyy MM dd HH mm ss SSS a ZZZZZ …); put words in quotes`;
      at = end;
    } else {
      tokens.push({ field: "", text: letter });
      at++;
    }
  }
  if (!tokens.some(({ field }) => field !== "")) return "the format has no field";
  const width = widthOf(tokens);
  const places = width === undefined ? [] : placesOf(tokens);
  return { text, tokens, hasTime: tokens.some(({ field }) => /^[Hhms]/.test(field)), width, places };
}

/** CalendarFields of digits that are always as wide as their letters. */
const FIXED_FIELD = /^(?:yyyy|yy|MM|dd|HH|hh|mm|ss|S+)$/;

function widthOf(tokens: readonly Token[]): number | undefined {
  if (tokens.some(({ field }) => field !== "" && !FIXED_FIELD.test(field))) return undefined;
  return tokens.reduce((sum, { field, text }) => sum + field.length + text.length, 0);
}

function placesOf(tokens: readonly Token[]): FixedPlace[] {
  let to = 0;
  return tokens.map(({ field, text }) => {
    const from = to;
    to += field.length + text.length;
    return { field: FIXED_NAMES[field.charAt(0)], text, from, to };
  });
}

/** The date in a format. @throws {ValueFault} where the format has an offset and the date none */
export function writeDate(date: DateValue, format: DateFormat): string {
  const clock = new Date(date.localMs);
  return format.tokens
    .map(({ field, text }) => (field === "" ? text : writeField(field, clock, date)))
    .join("");
}

function writeField(field: string, clock: Date, date: DateValue): string {
  const hour = clock.getUTCHours();
  const width = field.length;
  switch (field[0]) {
    case "y":
      return width === 2 ? digits(clock.getUTCFullYear() % 100, 2) : digits(clock.getUTCFullYear(), 4);
    case "M": {
      const name = MONTHS[clock.getUTCMonth()] ?? "";
      return width === 4 ? name : width === 3 ? name.slice(0, 3) : digits(clock.getUTCMonth() + 1, width);
    }
    case "d":
      return digits(clock.getUTCDate(), width);
    case "E": {
      const name = DAYS[clock.getUTCDay()] ?? "";
      return width === 4 ? name : name.slice(0, 3);
    }
    case "H":
      return digits(hour, width);
    case "h":
      return digits(hour % 12 === 0 ? 12 : hour % 12, width);
    case "m":
      return digits(clock.getUTCMinutes(), width);
    case "s":
      return digits(clock.getUTCSeconds(), width);
    case "S":
      return digits(clock.getUTCMilliseconds(), 3).padEnd(width, "0").slice(0, width);
    case "a":
      return hour < 12 ? "AM" : "PM";
    default:
      if (date.offsetMs === undefined)
        throw new ValueFault("invalid_value", "the date has no offset from UTC; give its time zone");
      return writeOffset(
        date.offsetMs,
        field === OFFSET || field === "ZZZZZ" ? ":" : "",
        field === "Z" ? "" : "Z",
      );
  }
}

/**
 * Reads a text by a format, all of it. CalendarFields of two letters have two digits, those of one letter one or two. Years of
 * two digits are 1970 to 2069.
 *
 * @returns undefined where the text is written otherwise
 * @throws {ValueFault} for a date that the calendar does not have
 */
export function readDate(text: string, format: DateFormat): DateValue | undefined {
  if (format.width !== undefined) return text.length === format.width ? readPlaces(text, format) : undefined;
  const reader = new FieldReader(text);
  for (const token of format.tokens) if (!reader.read(token)) return undefined;
  return reader.isAtEnd ? reader.date(format.hasTime) : undefined;
}

/** Reads a text of the format's width: most dates of documents, in a third of the time. */
function readPlaces(text: string, { places, hasTime }: DateFormat): DateValue | undefined {
  const fields: CalendarFields = {
    year: 1970,
    month: 1,
    day: 1,
    hour: 0,
    minute: 0,
    second: 0,
    millisecond: 0,
  };
  for (const { field, text: literal, from, to } of places) {
    if (field === undefined) {
      if (!text.startsWith(literal, from)) return undefined;
      continue;
    }
    let value = 0;
    for (let at = from; at < to; at++) {
      const digit = text.charCodeAt(at) - ZERO;
      if (digit < 0 || digit > 9) return undefined;
      value = value * 10 + digit;
    }
    if (field === "year" && to - from === 2) value = fullYear(value);
    else if (field === "millisecond") value = Math.trunc(value / 10 ** (to - from - 3));
    fields[field] = value;
  }
  return { localMs: toLocalMs(fields), offsetMs: undefined, hasTime };
}

/** A year of two digits is one of 1970 to 2069. */
function fullYear(year: number): number {
  return year + (year < 70 ? 2000 : 1900);
}

class FieldReader {
  readonly #text: string;
  #at = 0;
  #fields: CalendarFields = { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, millisecond: 0 };
  #isAfternoon: boolean | undefined;
  #offsetMs: number | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#text.length;
  }

  date(hasTime: boolean): DateValue {
    const fields = this.#fields;
    if (this.#isAfternoon !== undefined) {
      if (fields.hour < 1 || fields.hour > 12)
        throw new ValueFault("invalid_value", "with AM and PM hours go from 1 to 12");
      fields.hour = (fields.hour % 12) + (this.#isAfternoon ? 12 : 0);
    }
    return { localMs: toLocalMs(fields), offsetMs: this.#offsetMs, hasTime };
  }

  /** Whether the text goes on as the token says. */
  read({ field, text }: Token): boolean {
    if (field === "") return this.#literal(text);
    const width = field.length;
    switch (field[0]) {
      case "y":
        return this.#number(width, width, (value) => {
          this.#fields.year = width === 2 ? fullYear(value) : value;
        });
      case "M":
        if (width >= 3) return this.#name(MONTHS, width === 3, (index) => (this.#fields.month = index + 1));
        return this.#number(width, 2, (value) => (this.#fields.month = value));
      case "d":
        return this.#number(width, 2, (value) => (this.#fields.day = value));
      case "E":
        return this.#name(DAYS, width === 3, () => undefined);
      case "H":
      case "h":
        return this.#number(width, 2, (value) => (this.#fields.hour = value));
      case "m":
        return this.#number(width, 2, (value) => (this.#fields.minute = value));
      case "s":
        return this.#number(width, 2, (value) => (this.#fields.second = value));
      case "S":
        return this.#number(width, width, (value) => {
          this.#fields.millisecond = Math.trunc(value / 10 ** (width - 3));
        });
      case "a":
        return this.#name(["AM", "PM"], false, (index) => (this.#isAfternoon = index === 1));
      default:
        return this.#offset();
    }
  }

  #literal(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #number(min: number, max: number, set: (value: number) => void): boolean {
    let end = this.#at;
    let value = 0;
    for (; end - this.#at < max; end++) {
      const digit = this.#text.charCodeAt(end) - ZERO;
      // Not a number past the end of the text.
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
    }
    if (end - this.#at < min) return false;
    this.#at = end;
    set(value);
    return true;
  }

  #name(names: readonly string[], isShort: boolean, set: (index: number) => void): boolean {
    const rest = this.#text.slice(this.#at, this.#at + 12).toLowerCase();
    const index = names.findIndex((name) =>
      rest.startsWith((isShort ? name.slice(0, 3) : name).toLowerCase()),
    );
    if (index < 0) return false;
    this.#at += isShort ? 3 : (names[index] ?? "").length;
    set(index);
    return true;
  }

  #offset(): boolean {
    const match = /^(?:Z|[+-]\d{2}:?\d{2})/i.exec(this.#text.slice(this.#at, this.#at + 6));
    if (match === null) return false;
    this.#offsetMs = readOffset(match[0]);
    this.#at += match[0].length;
    return true;
  }
}

/** A text as a message shows it. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
