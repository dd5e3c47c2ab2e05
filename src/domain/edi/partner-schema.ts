import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { StoredTemplate } from "../transformations/schema.ts";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const closed = { additionalProperties: false };

const Qualifier = (description: string) => Type.String({ pattern: "^[A-Z0-9]{2}$", description });
const Id = (lengthMin: number, description: string) =>
  Type.String({ minLength: lengthMin, maxLength: 15, pattern: "^[!-~](?:[ -~]*[!-~])?$", description });

const Separator = Type.String({ minLength: 1, maxLength: 2 });

const Reading = Type.Object(
  {
    mode: Type.Optional(
      Type.Union([Type.Literal("strict"), Type.Literal("lenient")], {
        description: "`lenient` takes what can still be read and notes its faults. `strict` by default",
      }),
    ),
    lineBreaks: Type.Optional(
      Type.Union([Type.Literal("keep"), Type.Literal("remove")], {
        description: "`remove` for records that are wrapped at a fixed width",
      }),
    ),
    repetition: Type.Optional(
      Type.Union([Type.Literal("version"), Type.Literal("always"), Type.Literal("never")], {
        description: "Whether ISA11 separates repetitions: from 00402 on (default), always, or never",
      }),
    ),
    encoding: Type.Optional(
      Type.Union([Type.Literal("auto"), Type.Literal("utf-8"), Type.Literal("latin1")]),
    ),
  },
  { ...closed, description: "How the partner's documents are read" },
);

const Writing = Type.Object(
  {
    test: Type.Optional(Type.Boolean({ description: "ISA15 is T; false by default" })),
    interchangeVersion: Type.Optional(
      Type.String({ pattern: "^\\d{5}$", description: "ISA12; 00401 by default, 00501 from 005010 on" }),
    ),
    acknowledgmentRequested: Type.Optional(Type.Boolean({ description: "ISA14 asks for a TA1" })),
    characters: Type.Optional(
      Type.Union([Type.Literal("ascii"), Type.Literal("unicode")], {
        description: "Characters that data may have; others are refused. `ascii` by default",
      }),
    ),
    newline: Type.Optional(
      Type.Union([Type.Literal(""), Type.Literal("\n"), Type.Literal("\r\n")], {
        description: "After each segment",
      }),
    ),
    separators: Type.Optional(
      Type.Partial(
        Type.Object({
          element: Separator,
          component: Separator,
          repetition: Nullable(Separator),
          segment: Separator,
        }),
        { ...closed, description: "`*`, `>`, `^` and `~` by default" },
      ),
    ),
  },
  { ...closed, description: "How documents for the partner are written" },
);

export const PartnerSettings = Type.Object(
  {
    reading: Type.Optional(Reading),
    writing: Type.Optional(Writing),
    acknowledgment: Type.Optional(
      Type.Union([Type.Literal("997"), Type.Literal("999"), Type.Literal("none")], {
        description: "Set that answers each group; 997 by default, 999 from 005010 on",
      }),
    ),
    interchangeAcknowledgment: Type.Optional(
      Type.Union([Type.Literal("requested"), Type.Literal("always"), Type.Literal("never")], {
        description:
          "TA1: as ISA14 asks and for what is refused (default), always, or never. A refused interchange gets nothing else.",
      }),
    ),
    duplicateDays: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 400,
        default: 30,
        description: "Time in which an interchange with the same numbers is a duplicate; 30 by default",
      }),
    ),
    subscriptionId: Type.Optional(
      Nullable(
        Type.String({
          format: "uuid",
          description:
            "The subscription that delivers to this partner: `edi.document` events of the partner reach it alone, and " +
            "what its template writes in X12 gets this partner's envelope. Without one every subscription to " +
            "`edi.document` gets them.",
        }),
      ),
    ),
    sets: Type.Optional(
      Type.Record(Type.String({ pattern: "^[A-Z0-9]{3}$" }), StoredTemplate, {
        description:
          "Transformations by set code (ST01); they go before the endpoint's own. A set without one arrives as readable JSON.",
        examples: [{ "204": { template: "x12-204-to-load", version: 1 } }],
      }),
    ),
  },
  closed,
);
export type PartnerSettings = Static<typeof PartnerSettings>;

const ControlNumber = Type.Integer({ minimum: 0, maximum: 999_999_999 });

/** Last numbers used; the next document takes the one after. */
export const ControlNumbers = Type.Object(
  { ISA: ControlNumber, GS: ControlNumber, ST: ControlNumber },
  { ...closed, description: "Last control numbers used: interchange, group, set" },
);
export type ControlNumbers = Static<typeof ControlNumbers>;

const fields = {
  name: Type.String({ minLength: 1, maxLength: 200, pattern: "\\S" }),
  isaQualifier: Qualifier("The partner's qualifier: ISA05 of what it sends, ISA07 of what it gets"),
  isaId: Id(1, "The partner's interchange id: ISA06 and ISA08, without the blanks that fill them"),
  ownIsaQualifier: Qualifier("Our qualifier towards this partner"),
  ownIsaId: Id(1, "Our interchange id"),
  gsId: Id(2, "The partner's group id, GS03 of what it gets; the interchange id when left out"),
  ownGsId: Id(2, "Our group id, GS02 of what we send; our interchange id when left out"),
  version: Type.String({
    pattern: "^00[3-9]\\d{3}[A-Z0-9]{0,6}$",
    description: "GS08 of what we send; 004010 when left out",
    examples: ["004010"],
  }),
  settings: PartnerSettings,
};

const { gsId, ownGsId, version, settings, ...needed } = fields;

export const CreatePartnerInput = Type.Object(
  {
    ...needed,
    ...Type.Partial(Type.Object({ gsId, ownGsId, version, settings })).properties,
    controlNumbers: Type.Optional(Type.Partial(ControlNumbers)),
  },
  closed,
);
export type CreatePartnerInput = Static<typeof CreatePartnerInput>;

/** Fields present are changed; null resets. */
export const UpdatePartnerInput = Type.Partial(
  Type.Object({
    ...needed,
    gsId: Nullable(gsId),
    ownGsId: Nullable(ownGsId),
    version: Nullable(version),
    settings: Nullable(settings),
    controlNumbers: Type.Partial(ControlNumbers),
  }),
  closed,
);
export type UpdatePartnerInput = Static<typeof UpdatePartnerInput>;

const Timestamp = Type.String({ format: "date-time" });

export const Partner = Type.Object({
  id: Type.String({ format: "uuid" }),
  tenantId: Type.String({ format: "uuid" }),
  ...fields,
  controlNumbers: ControlNumbers,
  createdAt: Timestamp,
  updatedAt: Timestamp,
});
export type Partner = Static<typeof Partner>;
