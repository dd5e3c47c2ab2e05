import { type FieldError, invalidInput } from "./errors.ts";

/** RFC 3339, section 5.6: a full date, which is its midnight in UTC, or a date and time with its offset. */
const RFC_3339 =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d))?$/;

/** The year 10000, from which a time has no plain text form; an offset can lead there. */
const MS_MAX = Date.UTC(10_000, 0);

/**
 * Reads the bounds of a list.
 *
 * @param at where the bounds stand, before their names; "" for a query
 * @returns milliseconds since the epoch
 * @throws HubError 422 `invalid_input` naming each bound that is no time, or lies before 1970
 */
export function readTimes(
  input: { from?: string | undefined; to?: string | undefined },
  at = "",
): {
  fromMs: number | undefined;
  toMs: number | undefined;
} {
  const errors: FieldError[] = [];
  const read = (name: string, text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    const ms = readTime(text);
    if (ms !== undefined) return ms;
    errors.push({ path: at + name, message: "must be a time as in RFC 3339" });
    return undefined;
  };
  const times = { fromMs: read("from", input.from), toMs: read("to", input.to) };
  if (errors.length > 0) throw invalidInput(errors);
  return times;
}

/**
 * Reads one time. Without an offset it is none: it would mean whatever zone the server is set to. Nor is a day that its
 * month does not have, which `Date.parse` takes for one of the next month.
 *
 * @returns milliseconds since the epoch; undefined for what is no time, or lies before 1970
 */
export function readTime(text: string): number | undefined {
  const match = RFC_3339.exec(text);
  if (match === null) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const daysOfMonth = new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (month < 1 || month > 12 || day < 1 || day > daysOfMonth) return undefined;
  const ms = Date.parse(text.replace(" ", "T").toUpperCase());
  return ms >= 0 && ms < MS_MAX ? ms : undefined;
}
