import { daysIn } from "../../../platform/x12/check-value.ts";
import { ValueFault } from "./value-fault.ts";

export const DAY_MS = 86_400_000;

/** A date and time of day as they are written. */
export interface CalendarFields {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  millisecond: number;
}

/**
 * Milliseconds since 1970, as if the clock showed UTC.
 *
 * @throws {ValueFault} for a date that the calendar does not have; 24:00 is the end of its day
 */
export function toLocalMs(fields: CalendarFields): number {
  const { year, month, day, hour, minute, second, millisecond } = fields;
  const isEndOfDay = hour === 24 && minute === 0 && second === 0 && millisecond === 0;
  const exists = month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month);
  // A leap second is shown by few clocks and kept by none: it becomes the next second.
  if (!exists || (hour > 23 && !isEndOfDay) || minute > 59 || second > 60)
    throw new ValueFault("invalid_value", "no such date or time exists");
  return dayNumber(year, month, day) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + millisecond;
}

/** Days since 1970 of a date of the Gregorian calendar, years 0 and later. A year that begins with March ends with its leap day. */
function dayNumber(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1;
  const leapDays = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return shifted * 365 + leapDays + dayOfYear - 719_468;
}
