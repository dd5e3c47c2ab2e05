import { scanJson } from "../../json/scan-json.ts";
import type { DocumentValue } from "../document.ts";
import type { FormatFault, ParseOutcome } from "../fault.ts";
import type { FormatLimits } from "../limits.ts";
import { tooLarge } from "../limits.ts";
import { decodeSource, placeAt, type SourceText } from "../source-text.ts";
import { JsonReader } from "./json-reader.ts";

/**
 * Reads JSON into a document (RFC 8259). Depth and keys are counted before anything is built; doubled keys, half
 * surrogate pairs and `__proto__` are refused; numbers that a double would change become an `ExactNumber`.
 *
 * The engine's parser does the work. It is enough where the text has as many keys as the value and no long number:
 * doubled keys cannot hide, since each one makes the value smaller. Everything else is read again by `JsonReader`.
 *
 * @param bytes UTF-8, with or without its mark, or UTF-16 with its mark
 */
export function parseJsonDocument(bytes: Uint8Array, limits: FormatLimits): ParseOutcome {
  if (bytes.byteLength > limits.bytesMax) return { ok: false, faults: [tooLarge(bytes.byteLength, limits)] };
  const decoded = decodeSource(bytes);
  if (!decoded.ok) return decoded;
  const { source } = decoded;
  const scanned =
    source.encoding === "utf-8" && source.markBytes === 0 ? bytes : new TextEncoder().encode(source.text);
  const scan = scanJson(scanned, { depthMax: limits.depthMax, keysMax: limits.valuesMax });
  if (scan.code !== undefined) {
    return { ok: false, faults: [overLimit(scan.code, scanned.subarray(0, scan.offset), source, limits)] };
  }
  let document: DocumentValue;
  try {
    document = JSON.parse(source.text) as DocumentValue;
  } catch {
    return readExactly(source);
  }
  if (scan.longNumbers || scan.suspicious || countKeys(document) !== scan.keys) return readExactly(source);
  return { ok: true, document, place: (pointer) => placeOf(source, pointer) };
}

function readExactly(source: SourceText): ParseOutcome {
  const outcome = new JsonReader(source).read();
  if (!outcome.ok) return outcome;
  return { ...outcome, place: (pointer) => placeOf(source, pointer) };
}

function placeOf(source: SourceText, pointer: string): ReturnType<typeof placeAt> | undefined {
  const index = new JsonReader(source).find(pointer);
  return index === undefined ? undefined : placeAt(source, index);
}

function overLimit(
  code: "too_deep" | "too_many_keys",
  before: Uint8Array,
  source: SourceText,
  limits: FormatLimits,
): FormatFault {
  const place = placeAt(source, new TextDecoder("utf-8", { ignoreBOM: true }).decode(before).length);
  if (code === "too_deep") {
    return { code, message: `The document is nested deeper than ${limits.depthMax} levels`, ...place };
  }
  return {
    code: "too_many_values",
    message: `The document has more than ${limits.valuesMax} keys`,
    ...place,
  };
}

/** Members of all objects inside a value; NaN where one is called `__proto__`. */
function countKeys(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const item: unknown = value[index];
      if (typeof item === "object" && item !== null) count += countKeys(item);
    }
    return count;
  }
  for (const key in value) {
    if (key === "__proto__") return Number.NaN;
    count++;
    const member = (value as Record<string, unknown>)[key];
    if (typeof member === "object" && member !== null) count += countKeys(member);
  }
  return count;
}
