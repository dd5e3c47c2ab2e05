import { type FieldError, invalidInput } from "./errors.ts";

/** The year 10000, from which a time has no plain text form. */
const MS_MAX = Date.UTC(10_000, 0);

/**
 * Reads the bounds of a list.
 *
 * @returns milliseconds since the epoch
 * @throws HubError 422 `invalid_input` naming each bound that is no time
 */
export function readTimes(input: { from?: string | undefined; to?: string | undefined }): {
  fromMs: number | undefined;
  toMs: number | undefined;
} {
  const errors: FieldError[] = [];
  const read = (path: string, text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    const ms = Date.parse(text);
    if (Number.isFinite(ms) && ms >= 0 && ms < MS_MAX) return ms;
    errors.push({ path, message: "must be a time as in RFC 3339" });
    return undefined;
  };
  const times = { fromMs: read("from", input.from), toMs: read("to", input.to) };
  if (errors.length > 0) throw invalidInput(errors);
  return times;
}
