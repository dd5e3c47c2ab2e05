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
    ...(source === undefined ? [] : sideFaults(READ, sourceFormat, source, `${at}/source`)),
    ...(target === undefined ? [] : sideFaults(WRITE, targetFormat, target, `${at}/target`)),
    ...(recordPath === undefined ? [] : recordFaults(sourceFormat, targetFormat, mappingRules, at)),
  ];
}

/** Settings of one side: each by itself, and then against one another. */
function sideFaults(
  schemas: typeof READ,
  format: DocumentFormat,
  settings: Readonly<Record<string, unknown>>,
  at: string,
): FieldError[] {
  const faults = schemaFaults(schemas[format], settings, at);
  if (faults.length > 0) return faults;
  const conflicts =
    format === "CSV"
      ? csvConflicts(settings as CsvSettings)
      : format === "XML"
        ? xmlConflicts(settings as XmlSettings)
        : [];
  return conflicts.map(({ path, message }) => ({ path: at + path, message }));
}

const ONE_BYTE_ENCODINGS: ReadonlySet<string | undefined> = new Set(["iso-8859-1", "windows-1252"]);

/** Characters with two meanings, and a mark that the encoding does not have. */
function csvConflicts({ byteOrderMark, encoding, ...settings }: CsvSettings): FieldError[] {
  const { delimiter = ",", quote = '"', escape, comment } = settings;
  const faults: FieldError[] = [];
  const mustDiffer = (
    name: string,
    value: string | undefined,
    others: Record<string, string | undefined>,
  ): void => {
    const twin = Object.keys(others).find((other) => value !== undefined && others[other] === value);
    if (twin !== undefined) faults.push({ path: `/${name}`, message: `must differ from ${twin}` });
  };
  if (settings.quote === undefined) mustDiffer("delimiter", delimiter, { quote });
  else mustDiffer("quote", quote, { delimiter });
  mustDiffer("escape", escape, { delimiter });
  mustDiffer("comment", comment, { delimiter, quote, escape });
  if (byteOrderMark === true && ONE_BYTE_ENCODINGS.has(encoding))
    faults.push({ path: "/byteOrderMark", message: `does not exist in ${encoding}` });
  return faults;
}

/** Namespaces in XML 1.0, section 3: what the two prefixes that need no declaration stand for. */
const RESERVED = {
  xml: "http://www.w3.org/XML/1998/namespace",
  xmlns: "http://www.w3.org/2000/xmlns/",
} as const;

function xmlConflicts({ namespaces = {} }: XmlSettings): FieldError[] {
  const faults: FieldError[] = [];
  const prefixes = new Map<string, string>();
  for (const [prefix, uri] of Object.entries(namespaces)) {
    const path = `/namespaces/${prefix}`;
    const twin = prefixes.get(uri);
    const reserved = Object.entries(RESERVED).find(([name, meaning]) => name === prefix || meaning === uri);
    if (prefix === "xmlns" || uri === RESERVED.xmlns)
      faults.push({ path, message: "xmlns and its namespace cannot be declared" });
    else if (reserved !== undefined && (reserved[0] !== prefix || reserved[1] !== uri))
      faults.push({ path, message: `${reserved[0]} and ${reserved[1]} belong together` });
    else if (twin !== undefined)
      faults.push({ path, message: `stands for the same namespace as ${twin === "" ? "no prefix" : twin}` });
    prefixes.set(uri, prefix);
  }
  return faults;
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
