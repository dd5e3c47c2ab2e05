import type { DateFormat, DateValue } from "../date-text.ts";
import { readDate, readDateFormat, readIsoDate, shown, writeDate, writeIsoDate } from "../date-text.ts";
import { toNumber } from "../decimal.ts";
import type { Decimal } from "../decimal.ts";
import type { ClockChange, TimeZone } from "../time-zone.ts";
import { CLOCK_CHANGES, findTimeZone, momentOf } from "../time-zone.ts";
import { ValueFault } from "../value-fault.ts";
import { constant, type MappingFunctions, optional, type Parameter, required } from "./mapping-function.ts";

const FORMATS_MAX = 20;
const date = required("date", "text");
const zone = optional("zone", "text");
const clockChange: Parameter = { name: "clockChange", kind: "text", optional: true, oneOf: CLOCK_CHANGES };

/** Units of time: fixed lengths, and those of the calendar in months or days. */
const FIXED_MS = {
  weeks: 604_800_000,
  days: 86_400_000,
  hours: 3_600_000,
  minutes: 60_000,
  seconds: 1_000,
} as const;
const MONTHS = { years: 12, months: 1 } as const;
const UNITS = [...Object.keys(MONTHS), ...Object.keys(FIXED_MS)];
const unit: Parameter = { name: "unit", kind: "text", oneOf: UNITS };

function formatOf(value: unknown): DateFormat {
  const format = typeof value === "string" ? readDateFormat(value) : "a date format must be a text";
  if (typeof format === "string") throw new ValueFault("invalid_argument", format);
  return format;
}

function formatsOf(value: unknown): DateFormat[] {
  const list = Array.isArray(value) ? value : [value];
  if (list.length > FORMATS_MAX || list.length === 0)
    throw new ValueFault("invalid_argument", `give 1 to ${FORMATS_MAX} formats`);
  return list.map(formatOf);
}

/** @throws {ValueFault} for a name that is no zone */
function zoneOf(name: unknown): TimeZone {
  const found = findTimeZone(name as string);
  if (found !== undefined) return found;
  throw new ValueFault(
    "invalid_value",
    `${shown(name as string)} is no time zone as in America/Chicago or +01:00`,
  );
}

/** Checks a zone that stands in the rules when they are saved. */
function checkZone(name: unknown): void {
  if (typeof name === "string") zoneOf(name);
}

function inZone(epochMs: number, timeZone: TimeZone, hasTime = true): DateValue {
  const offsetMs = timeZone.offsetMsAt(epochMs);
  return { localMs: epochMs + offsetMs, offsetMs, hasTime };
}

/** The moment of a date; one without an offset is that of a clock in the zone. */
function epochOf(
  value: DateValue,
  timeZone: TimeZone | undefined,
  change: ClockChange = "compatible",
): number {
  if (value.offsetMs !== undefined) return value.localMs - value.offsetMs;
  if (timeZone !== undefined) return momentOf(value.localMs, timeZone, change);
  throw new ValueFault("invalid_value", "the date has no offset from UTC; give its time zone");
}

/** A date without an offset gets that of the zone; one with an offset is shown by the zone's clock. */
function placed(value: DateValue, zoneName: unknown, change: unknown): DateValue {
  if (zoneName === undefined || (!value.hasTime && value.offsetMs === undefined)) return value;
  const timeZone = zoneOf(zoneName);
  return inZone(epochOf(value, timeZone, change as ClockChange | undefined), timeZone);
}

/** Months later, on the same day or the last one of a shorter month. */
function addMonths(localMs: number, months: number): number {
  const clock = new Date(localMs);
  const day = clock.getUTCDate();
  clock.setUTCDate(1);
  clock.setUTCMonth(clock.getUTCMonth() + months);
  const last = new Date(Date.UTC(clock.getUTCFullYear(), clock.getUTCMonth() + 1, 0)).getUTCDate();
  clock.setUTCDate(Math.min(day, last));
  return clock.getTime();
}

/** Years to weeks keep the time of day; with a zone also over a change of clocks. Hours and less are exact. */
function addTime(value: DateValue, amount: number, unitName: string, zoneName: unknown): DateValue {
  const timeZone = zoneName === undefined ? undefined : zoneOf(zoneName);
  const start = timeZone === undefined ? value : placed(value, zoneName, undefined);
  const isExact = unitName === "hours" || unitName === "minutes" || unitName === "seconds";
  const localMs =
    unitName in MONTHS
      ? addMonths(start.localMs, amount * MONTHS[unitName as keyof typeof MONTHS])
      : start.localMs + amount * FIXED_MS[unitName as keyof typeof FIXED_MS];
  if (Number.isNaN(new Date(localMs).getTime()) || Math.abs(localMs) > 2e14)
    throw new ValueFault("invalid_value", "the date lies too far away");
  const hasTime = start.hasTime || isExact;
  if (timeZone === undefined || start.offsetMs === undefined) return { ...start, localMs, hasTime };
  const epochMs = isExact ? localMs - start.offsetMs : momentOf(localMs, timeZone, "compatible");
  return inZone(epochMs, timeZone);
}

function difference(one: DateValue, other: DateValue, unitName: string): number {
  const isMoment = one.offsetMs !== undefined && other.offsetMs !== undefined;
  if ((one.offsetMs === undefined) !== (other.offsetMs === undefined) && (one.hasTime || other.hasTime))
    throw new ValueFault("invalid_value", "one date has an offset from UTC and the other none");
  if (unitName in MONTHS) {
    const [a, b] = [new Date(one.localMs), new Date(other.localMs)];
    let months = (b.getUTCFullYear() - a.getUTCFullYear()) * 12 + b.getUTCMonth() - a.getUTCMonth();
    if (months > 0 && addMonths(one.localMs, months) > other.localMs) months--;
    if (months < 0 && addMonths(one.localMs, months) < other.localMs) months++;
    return Math.trunc(months / MONTHS[unitName as keyof typeof MONTHS]);
  }
  const from = isMoment ? one.localMs - (one.offsetMs ?? 0) : one.localMs;
  const to = isMoment ? other.localMs - (other.offsetMs ?? 0) : other.localMs;
  // Adding 0 turns -0 into 0.
  return Math.trunc((to - from) / FIXED_MS[unitName as keyof typeof FIXED_MS]) + 0;
}

/** An empty text is no date: the result is missing. */
const unlessEmpty =
  (change: (args: readonly unknown[]) => unknown) =>
  (args: readonly unknown[]): unknown =>
    (args[0] as string).trim() === "" ? undefined : change(args);

/** Functions of dates. A date is a text in ISO 8601; where it has no offset it means the clock of its place. */
export const DATE_FUNCTIONS: MappingFunctions = {
  parseDate: {
    summary:
      "A date written in a format (or the first that fits of a list) as ISO 8601; with a zone the offset of that place. " +
      "Times that clocks skip or repeat: compatible (default), earlier, later, reject",
    parameters: [required("text", "text"), constant("format", "any"), zone, clockChange],
    make: (constants) => {
      const formats = formatsOf(constants[1]);
      checkZone(constants[2]);
      return unlessEmpty(([value, , zoneName, change]) => {
        for (const format of formats) {
          const parsed = readDate((value as string).trim(), format);
          if (parsed !== undefined) return writeIsoDate(placed(parsed, zoneName, change));
        }
        const wanted = formats.map((format) => shown(format.text)).join(" or ");
        throw new ValueFault("invalid_value", `${shown(value as string)} is no date in the format ${wanted}`);
      });
    },
  },
  formatDate: {
    summary: "A date (ISO 8601) in another format; with a zone as a clock of that place shows it",
    parameters: [date, constant("format", "text"), zone, clockChange],
    make: (constants) => {
      const format = formatOf(constants[1]);
      checkZone(constants[2]);
      return unlessEmpty(([value, , zoneName, change]) =>
        writeDate(placed(readIsoDate(value as string), zoneName, change), format),
      );
    },
  },
  toZone: {
    summary:
      "A date with the offset of a zone; one without an offset is taken as a clock of that place shows it",
    parameters: [date, required("zone", "text"), clockChange],
    make: (constants) => {
      checkZone(constants[1]);
      return unlessEmpty(([value, zoneName, change]) =>
        writeIsoDate(placed(readIsoDate(value as string), zoneName, change)),
      );
    },
  },
  toUtc: {
    summary: "A date in UTC; one without an offset needs the zone of its place",
    parameters: [date, zone, clockChange],
    make: (constants) => {
      checkZone(constants[1]);
      return unlessEmpty(([value, zoneName, change]) => {
        const timeZone = zoneName === undefined ? undefined : zoneOf(zoneName);
        const localMs = epochOf(readIsoDate(value as string), timeZone, change as ClockChange | undefined);
        return writeIsoDate({ localMs, offsetMs: 0, hasTime: true });
      });
    },
  },
  addTime: {
    summary: "A date and so many years, months, weeks, days, hours, minutes or seconds more (negative: less)",
    parameters: [date, required("amount", "integer"), unit, zone],
    make: (constants) => {
      checkZone(constants[3]);
      return unlessEmpty(([value, amount, unitName, zoneName]) =>
        writeIsoDate(addTime(readIsoDate(value as string), amount as number, unitName as string, zoneName)),
      );
    },
  },
  dateDifference: {
    summary: "Whole units from a date to another; negative where that is earlier",
    parameters: [required("from", "text"), required("to", "text"), unit],
    make: () =>
      unlessEmpty(([from, to, unitName]) =>
        difference(readIsoDate(from as string), readIsoDate(to as string), unitName as string),
      ),
  },
  dateOf: {
    summary: "The calendar date of a date with a time",
    parameters: [date],
    make: () => unlessEmpty(([value]) => writeIsoDate({ ...readIsoDate(value as string), hasTime: false })),
  },
  fromEpoch: {
    summary: "A date from seconds (or milliseconds) since 1970, in UTC or a zone",
    parameters: [
      required("number", "decimal"),
      { name: "unit", kind: "text", oneOf: ["seconds", "milliseconds"] },
      zone,
    ],
    make: (constants) => {
      checkZone(constants[2]);
      return (args) => {
        const value = args[0] as Decimal;
        const ms = (Number(value.digits) / 10 ** value.scale) * (args[1] === "seconds" ? 1000 : 1);
        if (!(Math.abs(ms) <= 2e14)) throw new ValueFault("invalid_value", "the date lies too far away");
        return writeIsoDate(inZone(Math.trunc(ms), zoneOf(args[2] ?? "UTC")));
      };
    },
  },
  toEpoch: {
    summary: "Seconds (or milliseconds) since 1970; a date without an offset needs the zone of its place",
    parameters: [date, { name: "unit", kind: "text", oneOf: ["seconds", "milliseconds"] }, zone],
    make: (constants) => {
      checkZone(constants[2]);
      return unlessEmpty(([value, unitName, zoneName]) => {
        const epochMs = epochOf(
          readIsoDate(value as string),
          zoneName === undefined ? undefined : zoneOf(zoneName),
        );
        return unitName === "seconds" ? toNumber({ digits: BigInt(epochMs), scale: 3 }) : epochMs;
      });
    },
  },
  now: {
    summary: "The time at which the document is mapped, in UTC or a zone",
    parameters: [zone],
    blanks: "take",
    make: (constants) => {
      checkZone(constants[0]);
      return (args, scope) => writeIsoDate(inZone(Math.trunc(scope.run.nowMs), zoneOf(args[0] ?? "UTC")));
    },
  },
};
