import { findJsonValues, pointerTokens } from "./json-ranges.ts";
import { isDoubled } from "./header-grammar.ts";
import type { Place, SignedRequest } from "./scheme.ts";
import { findXmlValues } from "./xml-ranges.ts";

/** The parts of a request in which a value can stand. */
export type PlacedRequest = Pick<SignedRequest, "headers" | "query" | "rawBody">;

/** A value, or why there is no single one. */
export type PlacedValue = { value: string } | { cause: "header_missing" | "header_doubled" | "malformed" };

const MISSING = { cause: "header_missing" } as const;
const MALFORMED = { cause: "malformed" } as const;

/**
 * Prepares reading one value of a request. A value that stands twice is refused: two readers could take different ones.
 * In a body only JSON strings and the text of XML elements or attributes count.
 */
export function compilePlace(place: Place): (request: PlacedRequest) => PlacedValue {
  if ("header" in place) {
    return ({ headers }) => {
      const value = headers.get(place.header);
      if (value === null) return MISSING;
      return isDoubled(value) ? { cause: "header_doubled" } : { value };
    };
  }
  if ("query" in place) {
    return ({ query }) => {
      const parameters = typeof query === "string" ? new URLSearchParams(query) : query;
      return single(parameters.getAll(place.query));
    };
  }
  if ("xmlPath" in place) {
    return ({ rawBody }) => {
      const text = utf8Text(rawBody);
      const values = text === undefined ? undefined : findXmlValues(text, place.xmlPath);
      return values === undefined ? MALFORMED : single(values.map(({ value }) => value.trim()));
    };
  }
  const tokens = pointerTokens(place.pointer);
  return ({ rawBody }) => {
    const text = utf8Text(rawBody);
    if (text === undefined) return MALFORMED;
    const ranges = findJsonValues(text, tokens);
    if (ranges.length !== 1) return single(ranges.map(() => ""));
    const value = jsonString(text.slice(ranges[0]!.start, ranges[0]!.end));
    return value === undefined ? MALFORMED : { value };
  };
}

function single(values: readonly string[]): PlacedValue {
  if (values.length === 0) return MISSING;
  return values.length === 1 ? { value: values[0]! } : MALFORMED;
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes as text that encodes back to the same bytes; undefined when they are not UTF-8. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The string that a JSON source text stands for; undefined for anything else. */
export function jsonString(source: string): string | undefined {
  if (!source.startsWith('"')) return undefined;
  try {
    return JSON.parse(source) as string;
  } catch {
    return undefined;
  }
}
