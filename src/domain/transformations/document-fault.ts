import { type Static, Type } from "@sinclair/typebox";
import type { MappingFault } from "./mapping/mapping-result.ts";

/** Step of a transformation that refused a document. */
export type DocumentFailureCode =
  /** The source is not of its format. */
  | "document_invalid"
  | "document_too_large"
  /** The validation rules refuse the source. */
  | "input_refused"
  | "mapping_failed"
  /** The validation rules refuse what the mapping made. */
  | "output_refused"
  /** The target format has no form for what the mapping made. */
  | "output_unwritable"
  | "transform_output_too_large"
  | "transform_timeout"
  | "transform_memory"
  | "transform_busy"
  | "transform_paused"
  | "transformation_not_found"
  | "transformation_inactive";

/** One thing that is wrong with a document, and where. */
export const DocumentFault = Type.Object(
  {
    code: Type.String(),
    message: Type.String(),
    source: Type.Optional(Type.String({ description: "JSON pointer into the source." })),
    target: Type.Optional(Type.String({ description: "JSON pointer into the output." })),
    rule: Type.Optional(Type.String({ description: "JSON pointer into the template." })),
    line: Type.Optional(Type.Integer({ description: "Of the source, from 1." })),
    column: Type.Optional(Type.Integer({ description: "Characters, from 1." })),
    offset: Type.Optional(Type.Integer({ description: "Byte of the source, from 0." })),
    segment: Type.Optional(Type.Integer({ description: "X12: number of the segment, from 1." })),
    segmentId: Type.Optional(Type.String({ description: "X12: id of the segment, as in N1." })),
    element: Type.Optional(Type.Integer()),
    component: Type.Optional(Type.Integer()),
    record: Type.Optional(
      Type.Integer({ description: "Of a document that is read record by record, from 1." }),
    ),
  },
  { description: "What is wrong with a document, and where." },
);
export type DocumentFault = Static<typeof DocumentFault>;

/** Where in its source a fault is: a line, or a segment of X12. */
export type SourcePlace = Pick<
  DocumentFault,
  "line" | "column" | "offset" | "segment" | "segmentId" | "element" | "component"
>;

/** Why a document did not become another. `retryable`: it may later. */
export interface DocumentFailure {
  ok: false;
  code: DocumentFailureCode;
  message: string;
  retryable: boolean;
  /** When to try again, where that is known, milliseconds. */
  retryAfterMs?: number;
  faults: DocumentFault[];
}

/** A document as it was written. */
export interface WrittenDocument {
  ok: true;
  bytes: Uint8Array;
}

export type DocumentOutcome = WrittenDocument | DocumentFailure;

/** Faults that a message names; the others are counted. */
const NAMED_MAX = 3;

/** A failure with a message for people, which names the first faults and their places. */
export function documentFailure(
  code: DocumentFailureCode,
  faults: readonly DocumentFault[],
  retryable = false,
): DocumentFailure {
  const named = faults.slice(0, NAMED_MAX).map((fault) => `${placeText(fault)}${fault.message}`);
  const rest = faults.length > NAMED_MAX ? `; and ${faults.length - NAMED_MAX} more` : "";
  return { ok: false, code, message: named.join("; ") + rest, retryable, faults: [...faults] };
}

/** A failure of the machinery, which no place in the document explains. */
export function plainFailure(
  code: DocumentFailureCode,
  message: string,
  retryable: boolean,
  retryAfterMs?: number,
): DocumentFailure {
  const failure: DocumentFailure = { ok: false, code, message, retryable, faults: [{ code, message }] };
  return retryAfterMs === undefined ? failure : { ...failure, retryAfterMs };
}

/** Where in a template a fault of its mapping or validation rules lies. */
export function templatePointer({ rule, part }: Pick<MappingFault, "rule" | "part">): string {
  return `${part === "validation" ? "/validationRules" : "/mappingRules"}${rule}`;
}

/** A fault with the line or segment that its pointer leads to. */
export function withPlace(fault: DocumentFault, place: SourcePlace | undefined): DocumentFault {
  return place === undefined || fault.line !== undefined ? fault : { ...fault, ...place };
}

function placeText(fault: DocumentFault): string {
  const parts = [
    fault.record === undefined ? "" : `record ${fault.record}`,
    fault.segmentId ?? "",
    fault.segment === undefined ? "" : `segment ${fault.segment}`,
    fault.element === undefined ? "" : `element ${fault.element}`,
    fault.component === undefined ? "" : `component ${fault.component}`,
    fault.line === undefined ? "" : `line ${fault.line}, column ${fault.column ?? 1}`,
    fault.source ?? fault.target ?? "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "" : `${parts.join(" ")}: `;
}
