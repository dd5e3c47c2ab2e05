import type { SchemaOptions } from "@sinclair/typebox";
import { Type } from "@sinclair/typebox";

/** RFC 3339, with seconds and an offset. The calendar (30 February) is checked by `validateModel`. */
const DATE_TIME =
  "^\\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\\d|3[01])[Tt](?:[01]\\d|2[0-3]):[0-5]\\d:(?:[0-5]\\d|60)(?:\\.\\d{1,9})?(?:[Zz]|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)$";

const DATE = "^\\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\\d|3[01])$";

/** Marks the strings whose calendar date is checked; kept in the schema, ignored by validators. */
export const CALENDAR = "x-calendar";

/** One of a few words. */
export const oneOf = <const Word extends string>(words: readonly Word[], options: SchemaOptions = {}) =>
  Type.Union(
    words.map((word) => Type.Literal(word)),
    options,
  );

export const DateTime = (description: string) =>
  Type.String({
    pattern: DATE_TIME,
    maxLength: 40,
    description: `${description} RFC 3339 with offset.`,
    examples: ["2026-03-14T09:26:53-05:00"],
    [CALENDAR]: true,
  });

export const CalendarDate = (description: string) =>
  Type.String({
    pattern: DATE,
    description: `${description} YYYY-MM-DD.`,
    examples: ["2026-03-14"],
    [CALENDAR]: true,
  });

/** Money as a decimal string, so that no cent is lost in a float. */
export const Amount = (description: string) =>
  Type.String({
    pattern: "^-?\\d{1,15}(?:\\.\\d{1,4})?$",
    description: `${description} Decimal string in the invoice's currency; negative for a credit.`,
    examples: ["1250.00"],
  });

export const Identifier = (description: string) =>
  Type.String({ minLength: 1, maxLength: 100, pattern: "\\S", description });

export const Carrier = Type.Object(
  {
    scac: Type.String({
      pattern: "^[A-Z]{2,4}$",
      description: "Standard Carrier Alpha Code (NMFTA): 2 to 4 capital letters",
      examples: ["SNLU"],
    }),
    name: Type.Optional(Type.String({ maxLength: 200, description: "Legal or trade name" })),
    dotNumber: Type.Optional(
      Type.String({ pattern: "^\\d{1,8}$", description: "USDOT number, digits only", examples: ["264184"] }),
    ),
    mcNumber: Type.Optional(
      Type.String({ pattern: "^\\d{1,8}$", description: "Motor carrier (MC) number, digits only" }),
    ),
  },
  { description: "Who moves the load" },
);

export const Reference = Type.Object(
  {
    type: oneOf(["BOL", "PRO", "PO", "SO", "CUSTOMER", "CONTAINER", "SEAL", "OTHER"], {
      description:
        "BOL bill of lading, PRO carrier's freight bill number, PO purchase order, SO sales order, CUSTOMER shipper's load number, CONTAINER, SEAL, OTHER (EDI X12 element 128: BM, CN, PO, SO, CR, OC, SN)",
    }),
    value: Identifier("The number itself"),
    code: Type.Optional(
      Type.String({
        maxLength: 20,
        description: "Its qualifier in X12 (element 128) where `type` does not say all of it: MB, SI, ZH",
      }),
    ),
  },
  { description: "A number under which somebody else knows the load" },
);

export const Coordinates = {
  latitude: Type.Number({ minimum: -90, maximum: 90, description: "Degrees north, WGS 84" }),
  longitude: Type.Number({ minimum: -180, maximum: 180, description: "Degrees east, WGS 84" }),
};

export const Address = Type.Object(
  {
    name: Type.Optional(Type.String({ maxLength: 200, description: "Name of the site or party" })),
    line1: Type.Optional(Type.String({ maxLength: 200, description: "Street and number" })),
    city: Type.String({ minLength: 1, maxLength: 100, description: "City" }),
    region: Type.Optional(
      Type.String({
        maxLength: 10,
        description: "State or province: ISO 3166-2 without its country",
        examples: ["TX"],
      }),
    ),
    postalCode: Type.Optional(Type.String({ maxLength: 20, description: "Postal code" })),
    country: Type.String({ pattern: "^[A-Z]{2}$", description: "ISO 3166-1 alpha-2", examples: ["US"] }),
    latitude: Type.Optional(Coordinates.latitude),
    longitude: Type.Optional(Coordinates.longitude),
  },
  { description: "Where a stop or a party is" },
);
