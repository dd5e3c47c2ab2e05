import type { HeaderReader } from "./classify-answer.ts";

type Revive = (key: string, value: unknown, context: { source?: string }) => unknown;

/** TypeScript's library does not declare the reviver's third parameter yet (proposal "JSON.parse source text access"). */
const parseJson = JSON.parse as (text: string, revive: Revive) => unknown;

/**
 * A provider's answer as a document, with or without a byte-order mark. Integers that a double would change are texts:
 * they are ids of accounts, which go into addresses and headers as they came. A form becomes an object of its fields:
 * token endpoints older than RFC 6749 answer with one, and some that follow it still do.
 *
 * @returns undefined when it is neither JSON nor a form
 */
export function parseAnswer({ body, headers }: { body: Uint8Array; headers: HeaderReader }): unknown {
  const text = new TextDecoder().decode(body);
  if (FORM.test(headers.get("content-type") ?? "")) return Object.fromEntries(new URLSearchParams(text));
  try {
    return parseJson(text, (_key, value, { source }) =>
      typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(source ?? "")
        ? source
        : value,
    );
  } catch {
    return undefined;
  }
}

const FORM = /^application\/x-www-form-urlencoded\b/i;
