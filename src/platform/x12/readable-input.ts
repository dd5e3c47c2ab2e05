import type { FaultCode } from "./fault-codes.ts";
import { makeFault } from "./fault-recorder.ts";
import type { X12Fault } from "./model.ts";

/** A fault of JSON input, with the JSON pointer of the value. */
export interface InputFault extends X12Fault {
  pointer: string;
}

/** Bytes, or why there are none. */
export type BytesOutcome = { ok: true; bytes: Uint8Array } | { ok: false; faults: InputFault[] };

/** Refuses one value of JSON input. It stays within this folder: the public functions return its fault. */
export class InputRefusal extends Error {
  readonly fault: InputFault;

  constructor(code: FaultCode, pointer: string, message: string, value?: string) {
    super(message);
    this.fault = makeInputFault(code, pointer, message, value);
  }
}

export function makeInputFault(
  code: FaultCode,
  pointer: string,
  message: string,
  value?: string,
): InputFault {
  const at = {
    interchange: null,
    group: null,
    set: null,
    segment: 0,
    segmentId: "",
    position: null,
    loop: null,
    element: null,
    component: null,
    repetition: null,
    offset: 0,
  };
  return { ...makeFault(code, "strict", at, { message, ...(value !== undefined && { value }) }), pointer };
}

/** Runs `work`, and turns what it refuses into an outcome. */
export function outcomeOf(work: () => BytesOutcome): BytesOutcome {
  try {
    return work();
  } catch (error) {
    if (error instanceof InputRefusal) return { ok: false, faults: [error.fault] };
    throw error;
  }
}

export function asObject(value: unknown, pointer: string): { [key: string]: unknown } {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as { [key: string]: unknown };
  }
  throw new InputRefusal("input_invalid", pointer, "An object is needed here");
}

export function asArray(value: unknown, pointer: string): unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  throw new InputRefusal("input_invalid", pointer, "A list is needed here");
}

/** Text as it is; a number as X12 writes it, when that is exact. */
export function asText(value: unknown, pointer: string): string {
  if (typeof value === "string") return value;
  if (typeof value !== "number") throw new InputRefusal("input_invalid", pointer, "Text is needed here");
  const text = String(value);
  const exact = !Number.isInteger(value) || Number.isSafeInteger(value);
  if (exact && /^-?\d+(?:\.\d+)?$/.test(text)) return text;
  const message = "The number cannot be written exactly; give it as text";
  throw new InputRefusal("number_not_exact", pointer, message, text);
}
