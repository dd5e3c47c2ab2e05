import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { JSON_POINTER } from "./schemes/json-ranges.ts";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** A field name (RFC 9110 section 5.1): any other is no header, and asking for it is an error. */
const HEADER_NAME = "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$";

const FromHeader = Type.Object(
  { header: Type.String({ pattern: HEADER_NAME, description: "Name of a header." }) },
  { additionalProperties: false },
);
const FromPointer = Type.Object(
  { pointer: Type.String({ pattern: JSON_POINTER, maxLength: 500, description: "Into the body." }) },
  { additionalProperties: false },
);

/** Where an event's id or type stands: a header, a JSON pointer (RFC 6901) into the body, or the body's own hash. */
export const EventIdSource = Type.Union(
  [FromHeader, FromPointer, Type.Object({ body: Type.Literal("sha256") }, { additionalProperties: false })],
  {
    description:
      "Where the event id stands; left out: the scheme's own place, else a hash of the body for 300 s.",
  },
);
export type EventIdSource = Static<typeof EventIdSource>;

export const EventTypeSource = Type.Union([FromHeader, FromPointer], {
  description: "Where the event type stands; left out: the scheme's own place.",
});
export type EventTypeSource = Static<typeof EventTypeSource>;

export const EndpointRateLimit = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
    windowSeconds: Type.Integer({ minimum: 1, maximum: 86_400 }),
    burst: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        description: "Requests at once; `limit` when left out.",
      }),
    ),
  },
  {
    additionalProperties: false,
    description: "Requests that this endpoint takes; more get 429 with Retry-After.",
  },
);
export type EndpointRateLimit = Static<typeof EndpointRateLimit>;

export const HandlerType = Type.Union(
  [Type.Literal("LOAD_STATUS"), Type.Literal("TRACKING"), Type.Literal("INVOICE"), Type.Literal("CUSTOM")],
  { description: "Model that the (transformed) payload must fit; CUSTOM passes through." },
);
export type HandlerType = Static<typeof HandlerType>;

export const EndpointStatus = Type.Union(
  [Type.Literal("ACTIVE"), Type.Literal("PAUSED"), Type.Literal("DISABLED")],
  {
    description: "PAUSED: accepted and held until resumed. DISABLED: refused with 410.",
  },
);
export type EndpointStatus = Static<typeof EndpointStatus>;

/** Largest body that any endpoint may take (DESIGN.md section 5, step 1). */
export const BODY_BYTES_MAX = 25 * 1024 * 1024;
export const BODY_BYTES_DEFAULT = 1024 * 1024;
export const DEDUPE_WINDOW_SECONDS_DEFAULT = 259_200;

/** How `signatureAlgorithm` and `signatureHeader` are written is the scheme's business; see the schemes' table. */
const settings = {
  integrationId: Nullable(Type.String({ format: "uuid" })),
  signatureScheme: Type.String({
    minLength: 1,
    maxLength: 50,
    description: "How requests are signed; `hmac` when left out.",
  }),
  signatureHeader: Nullable(Type.String({ pattern: HEADER_NAME })),
  signatureAlgorithm: Nullable(Type.String({ minLength: 1, maxLength: 50 })),
  signatureSettings: Nullable(
    Type.Record(Type.String(), Type.Unknown(), { description: "Further settings of the scheme." }),
  ),
  eventTypes: Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
    maxItems: 200,
    description:
      "Types that are processed, `*` at the end matches any rest; empty: all. Others are stored as FILTERED.",
  }),
  handlerType: HandlerType,
  transformTemplate: Nullable(
    Type.Unknown({
      description:
        '`{ "engine": "jsonata", "expression": … }` or `{ "template", "version" }` (a number or `latest`).',
    }),
  ),
  targetService: Nullable(
    Type.String({ pattern: "^[a-z0-9][a-z0-9-]{0,49}$", description: "Name in the service registry." }),
  ),
  ipWhitelist: Nullable(
    Type.Array(Type.String({ maxLength: 64 }), {
      maxItems: 500,
      description: "Addresses and CIDR ranges that may send.",
    }),
  ),
  status: EndpointStatus,
  isEnabled: Type.Boolean({ description: "Shorthand: true is ACTIVE, false is DISABLED." }),
  eventIdSource: Nullable(EventIdSource),
  eventTypeSource: Nullable(EventTypeSource),
  dedupeWindowSeconds: Type.Integer({
    minimum: 60,
    maximum: 2_592_000,
    description: "Time for which an event id is recognised.",
  }),
  rateLimit: Nullable(EndpointRateLimit),
  maxBodyBytes: Type.Integer({ minimum: 1, maximum: BODY_BYTES_MAX }),
};

export const CreateEndpointInput = Type.Object(
  {
    endpointPath: Type.Optional(
      Type.String({
        pattern: "^[A-Za-z0-9_-]{1,200}$",
        description: "Last segment of the URL; 22 random characters when left out.",
      }),
    ),
    handlerType: settings.handlerType,
    secretKey: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 4096,
        description: "The provider's secret; one is made when left out.",
      }),
    ),
    integrationId: Type.Optional(settings.integrationId),
    signatureScheme: Type.Optional(settings.signatureScheme),
    signatureHeader: Type.Optional(settings.signatureHeader),
    signatureAlgorithm: Type.Optional(settings.signatureAlgorithm),
    signatureSettings: Type.Optional(settings.signatureSettings),
    eventTypes: Type.Optional(settings.eventTypes),
    transformTemplate: Type.Optional(settings.transformTemplate),
    targetService: Type.Optional(settings.targetService),
    ipWhitelist: Type.Optional(settings.ipWhitelist),
    status: Type.Optional(settings.status),
    isEnabled: Type.Optional(settings.isEnabled),
    eventIdSource: Type.Optional(settings.eventIdSource),
    eventTypeSource: Type.Optional(settings.eventTypeSource),
    dedupeWindowSeconds: Type.Optional(settings.dedupeWindowSeconds),
    rateLimit: Type.Optional(settings.rateLimit),
    maxBodyBytes: Type.Optional(settings.maxBodyBytes),
  },
  { additionalProperties: false },
);
export type CreateEndpointInput = Static<typeof CreateEndpointInput>;

/** Fields present are changed; null resets to the default. */
export const UpdateEndpointInput = Type.Partial(
  Type.Object({
    ...settings,
    signatureScheme: Nullable(settings.signatureScheme),
    eventTypes: Nullable(settings.eventTypes),
    status: Nullable(settings.status),
    dedupeWindowSeconds: Nullable(settings.dedupeWindowSeconds),
    maxBodyBytes: Nullable(settings.maxBodyBytes),
    endpointPath: Type.String({ pattern: "^[A-Za-z0-9_-]{1,200}$" }),
    secretKey: Type.String({
      minLength: 1,
      maxLength: 4096,
      description: "Mends a wrong secret, at once; rotate-secret lets the old one verify too for a while.",
    }),
  }),
  { additionalProperties: false },
);
export type UpdateEndpointInput = Static<typeof UpdateEndpointInput>;

const Timestamp = Type.String({ format: "date-time" });

export const Endpoint = Type.Object({
  id: Type.String({ format: "uuid" }),
  tenantId: Type.String({ format: "uuid" }),
  endpointPath: Type.String(),
  url: Type.String({ description: "Address to give to the sender." }),
  ...settings,
  secretLast4: Nullable(
    Type.String({ description: "Last four characters of the secret, when it has 16 or more." }),
  ),
  previousSecretExpiresAt: Nullable(Timestamp),
  totalReceived: Type.Integer(),
  totalProcessed: Type.Integer(),
  totalFailed: Type.Integer(),
  lastReceivedAt: Nullable(Timestamp),
  createdAt: Timestamp,
  updatedAt: Timestamp,
});
export type Endpoint = Static<typeof Endpoint>;

/** The only answers that carry the secret: POST and rotate-secret. */
export const CreatedEndpoint = Type.Composite([
  Endpoint,
  Type.Object({ secretKey: Nullable(Type.String({ description: "Shown this once." })) }),
]);
export type CreatedEndpoint = Static<typeof CreatedEndpoint>;

export const RotateSecretInput = Type.Object(
  {
    secretKey: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
    overlapSeconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 604_800,
        default: 86_400,
        description:
          "Time for which the old secret verifies too; one day when left out. 0: nothing but the new one, at once.",
      }),
    ),
  },
  { additionalProperties: false },
);
export type RotateSecretInput = Static<typeof RotateSecretInput>;

export const RotatedSecret = Type.Object({
  secretKey: Type.String({ description: "Shown this once." }),
  previousExpiresAt: Nullable(Timestamp),
});
export type RotatedSecret = Static<typeof RotatedSecret>;
