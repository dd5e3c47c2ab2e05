import type { FaultCode } from "./fault-codes.ts";
import type { ElementRule } from "./tables/table-notation.ts";

const INTEGER = /^-?\d+$/;
/** No part can give digits to another one, so that a long value that fails does so in one pass. */
const DECIMAL = /^-?(?:\d+(?:\.\d*)?|\.\d+)(?:E-?\d+)?$/;
/** Control characters, DEL and the C1 range: in no X12 character set. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * Checks one value against its element: length (without sign and decimal point for numbers), characters, dates, times.
 *
 * @returns the fault's code, or null
 */
export function checkValue(value: string, rule: ElementRule): FaultCode | null {
  const { type } = rule;
  if (type === "B") return null;
  const wrongForm = checkForm(value, type);
  if (wrongForm !== null) return wrongForm;
  const length = type === "R" || type.startsWith("N") ? countDigits(value) : value.length;
  if (length < rule.lengthMin) return "element_too_short";
  return length > rule.lengthMax ? "element_too_long" : null;
}

function checkForm(value: string, type: ElementRule["type"]): FaultCode | null {
  switch (type) {
    case "R":
      return DECIMAL.test(value) ? null : "element_character";
    case "DT":
      return isDate(value) ? null : "element_date";
    case "TM":
      return isTime(value) ? null : "element_time";
    case "AN":
    case "ID":
      return CONTROL.test(value) ? "element_character" : null;
    default:
      return INTEGER.test(value) ? null : "element_character";
  }
}

function countDigits(value: string): number {
  let count = 0;
  for (let index = 0; index < value.length; index += 1) {
    const code = value.charCodeAt(index);
    if (code >= 48 && code <= 57) count += 1;
  }
  return count;
}

/** CCYYMMDD or YYMMDD, and a day of the calendar; a year of two digits is of 2000 to 2099. */
export function isDate(value: string): boolean {
  if (!/^(?:\d{2})?\d{6}$/.test(value)) return false;
  const year = Number(value.length === 8 ? value.slice(0, 4) : `20${value.slice(0, 2)}`);
  const month = Number(value.slice(-4, -2));
  const day = Number(value.slice(-2));
  return month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month);
}

/** Days of a month, 1 to 12. */
export function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** HHMM, HHMMSS, HHMMSSD or HHMMSSDD. */
export function isTime(value: string): boolean {
  return /^(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d\d{0,2})?$/.test(value);
}
