import type { DocumentFailure, DocumentOutcome } from "./document-fault.ts";
import type { SourceDocument } from "./document-tasks.ts";
import type { Recipe } from "./load-template.ts";
import type { MapContext, MappingDeps } from "./mapping/mapping-result.ts";
import type { ReadDocument } from "./read-source.ts";

/** What a pipeline needs from outside. */
export interface PipelineDeps {
  evaluateJsonata: NonNullable<MappingDeps["evaluateJsonata"]>;
}

/** What became of one document, before it is written. */
export type MappedOutcome = { ok: true; document: unknown } | DocumentFailure;

/** A version of a template, ready: bytes in, bytes out. Nothing here throws for a document. */
export interface Pipeline {
  readonly recipe: Recipe;
  /** A promise only where an expression has to be waited for, or records are read one by one. */
  transform(source: SourceDocument, context: MapContext): DocumentOutcome | Promise<DocumentOutcome>;
  /** The same without writing: for whoever writes it otherwise, as X12 with a partner's envelope. */
  mapSource(source: SourceDocument, context: MapContext): MappedOutcome | Promise<MappedOutcome>;
  /** Validates, maps and validates a document that was read already. */
  map(read: ReadDocument, context: MapContext): MappedOutcome | Promise<MappedOutcome>;
  /** Writes what a mapping made. */
  write(document: unknown, context: MapContext): DocumentOutcome;
}
