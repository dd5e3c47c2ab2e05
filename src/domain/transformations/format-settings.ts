import { type TSchema, Type } from "@sinclair/typebox";
import { CsvSettings, JsonSettings, XmlSettings } from "../../platform/formats/settings.ts";
import type { FieldError } from "../errors.ts";
import { schemaFaults } from "../schema-faults.ts";
import type { MappingRules } from "./mapping/rules.ts";
import type { DocumentFormat } from "./transformation-schema.ts";

/** How a partner's X12 is read; `src/platform/x12/settings.ts` has the meaning and the defaults. */
export const X12ReadSettings = Type.Object(
  {
    mode: Type.Optional(Type.Union([Type.Literal("strict"), Type.Literal("lenient")])),
    lineBreaks: Type.Optional(Type.Union([Type.Literal("keep"), Type.Literal("remove")])),
    repetition: Type.Optional(
      Type.Union([Type.Literal("version"), Type.Literal("always"), Type.Literal("never")]),
    ),
    encoding: Type.Optional(
      Type.Union([Type.Literal("auto"), Type.Literal("utf-8"), Type.Literal("latin1")]),
    ),
  },
  { additionalProperties: false },
);

const READ: Readonly<Record<DocumentFormat, TSchema>> = {
  JSON: JsonSettings,
  XML: XmlSettings,
  CSV: CsvSettings,
  X12: X12ReadSettings,
};
/** X12 is written by what the mapping says of envelope and sets. */
const WRITE: Readonly<Record<DocumentFormat, TSchema>> = {
  ...READ,
  X12: Type.Object({}, { additionalProperties: false }),
};

/** Faults of `source` and `target` of mapping rules, and of a record mode that the formats cannot do. */
export function settingsFaults(
  content: { sourceFormat: DocumentFormat; targetFormat: DocumentFormat; mappingRules: MappingRules },
  at = "/mappingRules",
): FieldError[] {
  const { sourceFormat, targetFormat, mappingRules } = content;
  const { source, target, recordPath } = mappingRules;
  return [
    ...(source === undefined ? [] : schemaFaults(READ[sourceFormat], source, `${at}/source`)),
    ...(target === undefined ? [] : schemaFaults(WRITE[targetFormat], target, `${at}/target`)),
    ...(recordPath === undefined ? [] : recordFaults(sourceFormat, targetFormat, mappingRules, at)),
  ];
}

function recordFaults(
  sourceFormat: DocumentFormat,
  targetFormat: DocumentFormat,
  { recordPath, target }: MappingRules,
  at: string,
): FieldError[] {
  const path = `${at}/recordPath`;
  if (sourceFormat === "X12")
    return [{ path, message: "cannot be used with X12: each transaction set is one document already" }];
  if (targetFormat === "X12") return [{ path, message: "cannot be used with X12 as the target" }];
  if (sourceFormat === "CSV" && recordPath !== "[*]")
    return [{ path, message: "must be [*] with CSV: its records are the rows" }];
  if (sourceFormat === "JSON" && !JSON_RECORD_PATH.test(recordPath!))
    return [{ path, message: "must be names with dots to the list of records, as in data.orders, or [*]" }];
  if (sourceFormat === "XML" && recordPointer(recordPath!) === undefined)
    return [{ path, message: "must be names with dots, from the root to the record, as in orders.order" }];
  if (targetFormat === "XML" && target?.["recordPath"] === undefined)
    return [
      {
        path: `${at}/target/recordPath`,
        message: "is needed to write XML record by record, as in /orders/order",
      },
    ];
  return [];
}

const JSON_RECORD_PATH = /^(?:\[\*\]|[^.[\]*/]+(?:\.[^.[\]*/]+)*(?:\[\*\])?)$/;
const XML_RECORD_PATH = /^[^.[\]*/]+(?:\.[^.[\]*/]+)+(?:\[\*\])?$/;

/** `orders.order` as the JSON pointer `/orders/order`; undefined where it is no plain path. */
export function recordPointer(recordPath: string): string | undefined {
  if (!XML_RECORD_PATH.test(recordPath)) return undefined;
  return `/${recordPath.replace(/\[\*\]$/, "").replaceAll(".", "/")}`;
}
