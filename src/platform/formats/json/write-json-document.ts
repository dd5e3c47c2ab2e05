import { ExactNumber, type DocumentValue } from "../document.ts";
import type { FormatFault, WriteOutcome } from "../fault.ts";
import type { FormatLimits } from "../limits.ts";
import { appendPointer } from "../pointer.ts";
import type { JsonSettings } from "../settings.ts";
import { writtenTooLarge } from "../limits.ts";

const encoder = new TextEncoder();

/**
 * Writes a document as JSON in UTF-8. Members that are `undefined` are left out; everything else that JSON has no form
 * for is refused with its pointer: NaN and infinities, half surrogate pairs, `undefined` in arrays, functions, dates.
 * Negative zero is written as 0.
 */
export function writeJsonDocument(
  document: DocumentValue,
  settings: JsonSettings,
  limits: FormatLimits,
): WriteOutcome {
  const fault = checkValue(document, limits.depthMax);
  if (fault !== undefined) return { ok: false, faults: [fault] };
  const { indent = 0 } = settings;
  // Two more arguments, whatever they are, take the engine off its fast path.
  const text = indent === 0 ? JSON.stringify(document) : JSON.stringify(document, null, indent);
  // JSON.stringify writes half a pair as an escape in lower case, and nothing else as one of \ud800 to \udfff.
  const half = text.includes("\\") && text.includes("\\ud") ? findHalfPair(document, "") : undefined;
  if (half !== undefined) return { ok: false, faults: [half] };
  const bytes = encoder.encode(text);
  if (bytes.byteLength > limits.bytesMax)
    return { ok: false, faults: [writtenTooLarge(bytes.byteLength, limits)] };
  return { ok: true, bytes };
}

/** The first value that JSON cannot say. Pointers are made on the way back only: the good case builds none. */
function checkValue(value: unknown, levels: number): FormatFault | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined;
    case "number":
      // NaN for NaN and the infinities.
      return value - value === 0 ? undefined : unwritable(`${value} is no JSON number`);
    case "object":
      break;
    default:
      return unwritable(`A value of type ${typeof value} has no form in JSON`);
  }
  if (value === null) return undefined;
  if (Array.isArray(value)) {
    if (levels === 0) return TOO_DEEP;
    for (let index = 0; index < value.length; index++) {
      const fault = checkValue(value[index], levels - 1);
      if (fault !== undefined) return inside(fault, index);
    }
    return undefined;
  }
  if (value instanceof ExactNumber) return undefined;
  if (!isPlain(value)) return unwritable("Only plain objects have a form in JSON");
  if (levels === 0) return TOO_DEEP;
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key];
    if (member === undefined || (typeof member === "string" && key !== "__proto__")) continue;
    const fault = key === "__proto__" ? RESERVED : checkValue(member, levels - 1);
    if (fault !== undefined) return inside(fault, key);
  }
  return undefined;
}

const TOO_DEEP: FormatFault = { code: "too_deep", message: "The document is nested deeper than allowed" };
const RESERVED: FormatFault = { code: "reserved_name", message: "A member must not be called __proto__" };

function unwritable(message: string): FormatFault {
  return { code: "unwritable_value", message, pointer: "" };
}

/** The same fault, seen from one level further out. */
function inside(fault: FormatFault, name: string | number): FormatFault {
  return { ...fault, pointer: appendPointer("", name) + (fault.pointer ?? "") };
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The first text with half a surrogate pair, or key. */
function findHalfPair(value: unknown, pointer: string): FormatFault | undefined {
  if (typeof value === "string") {
    if (value.isWellFormed()) return undefined;
    return { code: "unwritable_text", message: "A text holds half of a surrogate pair", pointer };
  }
  if (typeof value !== "object" || value === null || value instanceof ExactNumber) return undefined;
  for (const [key, member] of Object.entries(value)) {
    const at = appendPointer(pointer, key);
    const fault = findHalfPair(key, at) ?? findHalfPair(member, at);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
