import type { Static } from "@sinclair/typebox";
import { Type } from "@sinclair/typebox";
import type { DocumentFormat } from "./document.ts";

const closed = { additionalProperties: false };

const Encoding = Type.Union(
  [Type.Literal("utf-8"), Type.Literal("utf-16le"), Type.Literal("iso-8859-1"), Type.Literal("windows-1252")],
  {
    description:
      "Encoding without a byte-order mark (a mark wins when reading), and the one that is written. UTF-8 by default",
  },
);
export type Encoding = Static<typeof Encoding>;

export const JsonSettings = Type.Object(
  {
    indent: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 8, description: "Spaces a level when writing; 0 writes one line" }),
    ),
  },
  closed,
);
export type JsonSettings = Static<typeof JsonSettings>;

const RecordPath = Type.String({
  pattern: "^(?:/[^/]+)+$",
  maxLength: 1000,
  description: "Names from the root to the element that is one record, as a JSON pointer",
  examples: ["/orders/order"],
});

export const XmlSettings = Type.Object(
  {
    namespaces: Type.Optional(
      Type.Record(Type.String({ pattern: "^(?:[A-Za-z_][\\w.-]*)?$" }), Type.String({ minLength: 1 }), {
        ...closed,
        description:
          "Prefixes of one's own: names of these namespaces are read and written with them, whatever prefix the " +
          'document uses; "" is for names without a prefix',
        examples: [{ "": "urn:example:order", ship: "urn:example:shipment" }],
      }),
    ),
    arrays: Type.Optional(
      Type.Array(Type.String({ minLength: 2, pattern: "^/" }), {
        maxItems: 1000,
        description:
          "Elements that are an array even when there is one: names from the root, as JSON pointers",
        examples: [["/order/stops/stop"]],
      }),
    ),
    comments: Type.Optional(
      Type.Union([Type.Literal("drop"), Type.Literal("keep")], {
        description:
          "Whether comments and processing instructions are kept, as `#comment` and `#instruction`",
      }),
    ),
    whitespace: Type.Optional(
      Type.Union([Type.Literal("layout"), Type.Literal("keep")], {
        description:
          "`layout` leaves out text of nothing but white space between elements, unless the element has other text " +
          "or says xml:space",
      }),
    ),
    encoding: Type.Optional(Encoding),
    declaration: Type.Optional(
      Type.Boolean({ description: "Whether an XML declaration is written; it is by default" }),
    ),
    indent: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 8,
        description: "Spaces a level when writing; mixed content stays as it is",
      }),
    ),
    nulls: Type.Optional(
      Type.Union([Type.Literal("omit"), Type.Literal("empty"), Type.Literal("nil")], {
        description: "How null is written: not at all, as an empty element (default), or as xsi:nil",
      }),
    ),
    recordPath: Type.Optional(RecordPath),
  },
  closed,
);
export type XmlSettings = Static<typeof XmlSettings>;

const character = (description: string) =>
  Type.String({ minLength: 1, maxLength: 1, pattern: "^[^\\r\\n]$", description });

export const CsvSettings = Type.Object(
  {
    delimiter: Type.Optional(character("Between cells; a comma by default")),
    quote: Type.Optional(character("Around cells; doubled inside them")),
    escape: Type.Optional(character("In front of a quote inside a cell; the quote itself by default")),
    comment: Type.Optional(character("Lines that begin with it are left out")),
    trim: Type.Optional(
      Type.Boolean({ description: "Whether space around cells that are not quoted is left out" }),
    ),
    emptyLines: Type.Optional(
      Type.Union([Type.Literal("skip"), Type.Literal("keep")], {
        description: "`keep` reads an empty line as a record of one empty cell",
      }),
    ),
    header: Type.Optional(
      Type.Union([Type.Literal("present"), Type.Literal("absent")], {
        description:
          "Without a header records are objects by `columns`, or arrays when there are no `columns`",
      }),
    ),
    columns: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 1000 }), {
        minItems: 1,
        maxItems: 10_000,
        uniqueItems: true,
        description: "Columns that must be there when reading, and which are written, in this order",
      }),
    ),
    extraColumns: Type.Optional(
      Type.Union([Type.Literal("keep"), Type.Literal("drop"), Type.Literal("refuse")], {
        description: "What becomes of columns of the header that are not in `columns`",
      }),
    ),
    shortRecords: Type.Optional(
      Type.Union([Type.Literal("refuse"), Type.Literal("fill")], {
        description: "`fill` gives a record with too few cells empty ones at its end",
      }),
    ),
    formulas: Type.Optional(
      Type.Union([Type.Literal("keep"), Type.Literal("escape")], {
        description:
          "`escape` writes ' before text that a spreadsheet would calculate: for files that a person opens, not for " +
          "machines. Numbers stay as they are",
      }),
    ),
    quoting: Type.Optional(Type.Union([Type.Literal("needed"), Type.Literal("all")])),
    newline: Type.Optional(
      Type.Union([Type.Literal("\r\n"), Type.Literal("\n")], {
        description: "Written after each record (RFC 4180: CRLF)",
      }),
    ),
    byteOrderMark: Type.Optional(Type.Boolean({ description: "Whether one is written; never by default" })),
    encoding: Type.Optional(Encoding),
  },
  closed,
);
export type CsvSettings = Static<typeof CsvSettings>;

export interface FormatSettings {
  JSON: JsonSettings;
  XML: XmlSettings;
  CSV: CsvSettings;
}
export type SettingsOf<F extends DocumentFormat> = FormatSettings[F];
