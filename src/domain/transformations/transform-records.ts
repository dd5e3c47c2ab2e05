import type { DocumentValue } from "../../platform/formats/document.ts";
import type { WriteOutcome } from "../../platform/formats/fault.ts";
import { readRecords } from "../../platform/formats/read-records.ts";
import { openRecordWriter, type RecordWriter } from "../../platform/formats/record-writer.ts";
import type { CsvSettings, SettingsOf, XmlSettings } from "../../platform/formats/settings.ts";
import { type DocumentFailure, documentFailure, type DocumentOutcome, withPlace } from "./document-fault.ts";
import type { SourceDocument } from "./document-tasks.ts";
import { recordPointer } from "./format-settings.ts";
import type { Recipe } from "./load-template.ts";
import type { MapContext } from "./mapping/mapping-result.ts";
import type { MappedOutcome, Pipeline } from "./pipeline.ts";
import type { ReadDocument } from "./read-source.ts";
import { readWhole, sourceSettings, unreadable } from "./read-whole.ts";

/** Bytes that one document may become. */
const OUTPUT_BYTES_MAX = 32 * 1024 * 1024;

/** Bytes that are given to a reader at once. */
const CHUNK_BYTES = 64 * 1024;

/** One record with the pointer of its place in the whole document. */
interface SourceRecord extends ReadDocument {
  pointer: string;
}

/**
 * Maps a document record by record, each by itself: CSV and XML of any size are read, mapped and written piece by piece;
 * of JSON, which is read as a whole, it is the list at the record path. The first record that does not fit ends it.
 */
export async function transformRecords(
  pipeline: Pipeline,
  source: SourceDocument,
  context: MapContext,
): Promise<DocumentOutcome> {
  const { recipe } = pipeline;
  const { targetFormat, mappingRules } = recipe;
  // X12 is refused as a target of records when the template is saved.
  const format = targetFormat === "X12" ? "JSON" : targetFormat;
  const writer = openRecordWriter(format, (mappingRules.target ?? {}) as SettingsOf<typeof format>);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  let index = 0;
  const keep = (written: WriteOutcome): DocumentFailure | undefined => {
    if (!written.ok) return unwritable(written, index);
    pieces.push(written.bytes);
    bytes += written.bytes.byteLength;
    if (bytes <= OUTPUT_BYTES_MAX) return undefined;
    const message = `The output has more than ${OUTPUT_BYTES_MAX} bytes`;
    return documentFailure("transform_output_too_large", [{ code: "output_too_large", message }]);
  };
  for await (const record of recordsOf(recipe, source)) {
    if ("ok" in record) return record;
    const failure = await mapRecord(pipeline, record, { ...context, recordIndex: index }, writer, keep);
    if (failure !== undefined) return failure;
    index++;
  }
  const failure = keep(writer.end());
  return failure ?? { ok: true, bytes: Buffer.concat(pieces) };
}

async function mapRecord(
  pipeline: Pipeline,
  record: SourceRecord,
  context: MapContext,
  writer: RecordWriter,
  keep: (written: WriteOutcome) => DocumentFailure | undefined,
): Promise<DocumentFailure | undefined> {
  const mapping = pipeline.map(record, context);
  const mapped: MappedOutcome = mapping instanceof Promise ? await mapping : mapping;
  if (!mapped.ok) return inRecord(mapped, record, context.recordIndex! + 1);
  return keep(writer.write(mapped.document as DocumentValue));
}

function unwritable(written: WriteOutcome & { ok: false }, index: number): DocumentFailure {
  const faults = written.faults.map(({ pointer, ...fault }) => ({
    ...fault,
    record: index + 1,
    ...(pointer === undefined ? {} : { target: pointer }),
  }));
  return documentFailure("output_unwritable", faults);
}

/** Faults of one record told by its number, their pointers by the whole document. */
function inRecord(failure: DocumentFailure, record: SourceRecord, number: number): DocumentFailure {
  const faults = failure.faults.map(({ source, ...fault }) =>
    withPlace(
      {
        ...fault,
        record: number,
        ...(source === undefined ? {} : { source: record.pointer + source }),
      },
      record.place(source ?? ""),
    ),
  );
  return documentFailure(failure.code, faults, failure.retryable);
}

/** The records, and a failure as the last one where the document is none. */
function recordsOf(
  recipe: Recipe,
  source: SourceDocument,
): AsyncIterable<SourceRecord | DocumentFailure> | Iterable<SourceRecord | DocumentFailure> {
  const settings = sourceSettings(recipe, source.charset);
  const path = recipe.mappingRules.recordPath!;
  if (recipe.sourceFormat === "CSV")
    return streamed(readRecords("CSV", chunksOf(source.bytes), settings as CsvSettings), "");
  if (recipe.sourceFormat !== "XML") return recordsOfTree(recipe, source);
  const recordPath = recordPointer(path) ?? "";
  const xml = { ...settings, recordPath } as XmlSettings;
  return streamed(readRecords("XML", chunksOf(source.bytes), xml), recordPath);
}

async function* streamed(
  outcomes: ReturnType<typeof readRecords>,
  pointer: string,
): AsyncGenerator<SourceRecord | DocumentFailure> {
  for await (const outcome of outcomes) {
    if (!outcome.ok) yield unreadable(outcome.faults);
    else {
      const { record, number, place } = outcome;
      yield { document: record, place: () => place, pointer: `${pointer}/${number - 1}` };
    }
  }
}

function* chunksOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
}

function* recordsOfTree(recipe: Recipe, source: SourceDocument): Generator<SourceRecord | DocumentFailure> {
  const read = readWhole(recipe, source);
  if (!read.ok) {
    yield read;
    return;
  }
  const { document, place } = read.documents[0]!;
  const path = recipe.mappingRules.recordPath!;
  const found = listAt(document, path);
  if (found === undefined) {
    const message = `There is no list of records at ${path}`;
    yield documentFailure("document_invalid", [{ code: "no_records", message }]);
    return;
  }
  for (const [index, record] of found.records.entries()) {
    const pointer = `${found.pointer}/${index}`;
    yield { document: record, place: (inner) => place(pointer + inner), pointer };
  }
}

/** The list at a plain path: `[*]`, `orders.order`, `orders[*]`. */
function listAt(
  document: unknown,
  recordPath: string,
): { records: readonly unknown[]; pointer: string } | undefined {
  const names = recordPath
    .replace(/\[\*\]$/, "")
    .split(".")
    .filter((part) => part !== "");
  let value = document;
  for (const name of names) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[name];
  }
  const pointer = names.map((name) => `/${name.replaceAll("~", "~0")}`).join("");
  return Array.isArray(value) ? { records: value, pointer } : undefined;
}
