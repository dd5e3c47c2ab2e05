import { FAULT_KINDS, type FaultCode } from "./fault-codes.ts";
import type { FaultPlace, X12Document, X12Fault, X12Segment } from "./model.ts";

/** What limits and places faults; a document is one, and a check of one set has its own. */
export type FaultSink = Pick<X12Document, "settings" | "byteOffset" | "faultCount">;

/** Where in its segment and set a fault is; what is not given is null. */
export interface FaultDetail {
  place?: { interchange: number; group?: number; set?: number };
  position?: number | null;
  loop?: string | null;
  element?: number;
  component?: number | null;
  repetition?: number | null;
  reference?: string | null;
  value?: string;
  /** Replaces the code's own sentence. */
  message?: string;
}

/** AK404 holds no more. */
const VALUE_CHARACTERS_MAX = 99;

/** Appends a fault to `list`, up to the limit of faults. */
export function recordFault(
  sink: FaultSink,
  list: X12Fault[],
  code: FaultCode,
  segment: Pick<X12Segment, "id" | "start" | "ordinal"> & { elements?: readonly string[] },
  detail: FaultDetail = {},
): void {
  const max = sink.settings.limits.faultsMax;
  if (sink.faultCount > max) return;
  sink.faultCount += 1;
  const recorded = sink.faultCount > max ? "too_many_faults" : code;
  const offset = sink.byteOffset(segment.start + offsetInSegment(segment.elements, detail.element));
  const at: FaultPlace = {
    interchange: detail.place?.interchange ?? null,
    group: detail.place?.group ?? null,
    set: detail.place?.set ?? null,
    segment: segment.ordinal,
    segmentId: segment.id,
    position: detail.position ?? null,
    loop: detail.loop ?? null,
    element: detail.element ?? null,
    component: detail.component ?? null,
    repetition: detail.repetition ?? null,
    offset,
  };
  list.push(makeFault(recorded, sink.settings.mode, at, detail));
}

/** A fault as its code's table has it. */
export function makeFault(
  code: FaultCode,
  mode: "strict" | "lenient",
  at: FaultPlace,
  detail: Pick<FaultDetail, "message" | "reference" | "value"> = {},
): X12Fault {
  const { refused, message } = FAULT_KINDS[code];
  return {
    code,
    severity: refused === "always" || (refused === "strict" && mode === "strict") ? "error" : "warning",
    message: detail.message ?? message,
    at,
    reference: detail.reference ?? null,
    value: detail.value === undefined ? null : detail.value.slice(0, VALUE_CHARACTERS_MAX),
  };
}

function offsetInSegment(elements: readonly string[] | undefined, element: number | undefined): number {
  if (elements === undefined || element === undefined) return 0;
  let offset = 0;
  const last = Math.min(element, elements.length);
  // Every separator is one code point; those outside the basic plane are so rare that a byte or two off does no harm.
  for (let index = 0; index < last; index += 1) offset += elements[index]!.length + 1;
  return element < elements.length ? offset : offset - 1;
}
