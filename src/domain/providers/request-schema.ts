import { type Static, Type } from "@sinclair/typebox";

/** One of several texts; the type is their union, which the library loses where they come as a list. */
export function literals<const T extends string>(values: readonly T[], description?: string) {
  const union = Type.Union(
    values.map((value) => Type.Literal(value)),
    description === undefined ? {} : { description },
  );
  return Type.Unsafe<T>(union);
}

/**
 * Text in which `{field}` stands for the value of a field of the manifest, or for one that the step brings along
 * (`{accessToken}`). What stands in `[[…]]` is left out when one of its fields has no value.
 */
export const Template = Type.String({ maxLength: 8_000, description: "Text with {field} placeholders." });

/** Name of an HTTP field (RFC 9110 section 5.1). */
export const HeaderName = Type.String({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$" });

/** JSON pointer (RFC 6901) into a JSON answer; `""` is the whole of it. */
export const Pointer = Type.String({
  maxLength: 500,
  pattern: "^(?:/(?:[^~/]|~[01])*)*$",
  description: "JSON pointer (RFC 6901).",
});

/** Name of a field, and so of a placeholder. */
export const FieldName = Type.String({ pattern: "^[a-z][A-Za-z0-9]{0,59}$" });

export const Method = literals(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);

const JsonBody = Type.Object(
  {
    type: Type.Literal("json"),
    value: Type.Unknown({ description: "Any JSON; the texts in it are templates." }),
  },
  { additionalProperties: false },
);
const FormBody = Type.Object(
  { type: Type.Literal("form"), fields: Type.Record(Type.String({ maxLength: 200 }), Template) },
  { additionalProperties: false },
);
const TextBody = Type.Object(
  {
    type: Type.Union([Type.Literal("text"), Type.Literal("xml")], {
      description: "xml: values are escaped for XML.",
    }),
    contentType: Type.String({ maxLength: 200, pattern: "^[\\x20-\\x7e]+$" }),
    text: Type.String({ maxLength: 64_000 }),
  },
  { additionalProperties: false },
);

/** One request as data: what is sent is made of it and of field values, and of nothing else. */
export const RequestTemplate = Type.Object(
  {
    method: Method,
    server: Type.Optional(
      Type.String({ maxLength: 60, description: "Name in the server's `urls`; left out: its `baseUrl`." }),
    ),
    path: Type.String({
      maxLength: 2_000,
      pattern: "^(?:/.*)?$",
      description: "Appended to the address; a value in it is one segment and is percent-encoded.",
    }),
    query: Type.Optional(Type.Record(Type.String({ maxLength: 200 }), Template)),
    headers: Type.Optional(Type.Record(HeaderName, Template)),
    body: Type.Optional(Type.Union([JsonBody, FormBody, TextBody])),
    isReadOnly: Type.Optional(
      Type.Boolean({ description: "It changes nothing, although its method is none of the safe ones." }),
    ),
  },
  { additionalProperties: false },
);
export type RequestTemplate = Static<typeof RequestTemplate>;

/** How a time or a time span is written in an answer. */
export const TimeFormat = literals(
  ["delta_s", "delta_ms", "epoch_s", "epoch_ms", "http_date", "iso8601", "duration"],
  "duration: as in 6m0s, 1.5s or 250ms.",
);
export type TimeFormat = Static<typeof TimeFormat>;
