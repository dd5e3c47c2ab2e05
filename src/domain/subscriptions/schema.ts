import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { TransformTemplate } from "../transformations/schema.ts";
import { SignatureForm } from "./signature-form.ts";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const SubscriptionStatus = Type.Union(
  [Type.Literal("ACTIVE"), Type.Literal("PAUSED"), Type.Literal("FAILED")],
  {
    description:
      "PAUSED: what comes is held and delivered after resuming. FAILED: the same, disabled after failures in a row.",
  },
);
export type SubscriptionStatus = Static<typeof SubscriptionStatus>;

export const AuthType = Type.Union(
  [
    Type.Literal("NONE"),
    Type.Literal("BASIC"),
    Type.Literal("API_KEY"),
    Type.Literal("OAUTH2"),
    Type.Literal("HMAC"),
  ],
  { description: "What is sent besides the signature." },
);
export type AuthType = Static<typeof AuthType>;

export const OrderingMode = Type.Union([Type.Literal("NONE"), Type.Literal("KEY")], {
  description: "KEY: events of one orderingKey arrive one after the other; a key that fails waits alone.",
});

export const SubscriptionRateLimit = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
    windowSeconds: Type.Integer({ minimum: 1, maximum: 86_400 }),
    burst: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        description: "Deliveries at once; `limit` when left out.",
      }),
    ),
  },
  { additionalProperties: false, description: "Deliveries that this receiver takes; more wait." },
);
export type SubscriptionRateLimit = Static<typeof SubscriptionRateLimit>;

/** Longest wait between two attempts that a subscription may ask for: seven days. */
const INTERVAL_SECONDS_MAX = 604_800;

export const RETRY_INTERVALS_DEFAULT: readonly number[] = [60, 300, 900, 3600, 7200];
export const CONTENT_TYPE_DEFAULT = "application/json";

/** Settings as they are given; those with a default may be left out. */
const settings = {
  name: Type.String({ minLength: 1, maxLength: 200 }),
  description: Nullable(Type.String({ maxLength: 2000 })),
  url: Type.String({ minLength: 1, maxLength: 500, description: "Where deliveries are posted to." }),
  eventTypes: Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
    minItems: 1,
    maxItems: 200,
    description: "Event types; a `*` at the end takes any rest, `*` alone everything.",
  }),
  filter: Nullable(
    Type.Record(Type.String(), Type.Unknown(), {
      description:
        'Condition on the event, for example `{ "data.status": { "$in": ["NEW"] } }`. Operators: $eq, $ne, $gt, $gte, ' +
        "$lt, $lte, $in, $nin, $exists, $startsWith, $endsWith, $contains, $regex (RE2), $not, $and, $or, $nor. A list stands " +
        "for its elements, of which one has to match. null is a value: what is missing matches `$exists: false`, and " +
        "what $ne, $nin and $not ask for.",
    }),
  ),
  authType: AuthType,
  contentType: Type.String({
    maxLength: 50,
    pattern: "^[A-Za-z0-9.+-]{1,40}/[A-Za-z0-9.+-]{1,45}(?:; ?charset=[Uu][Tt][Ff]-8)?$",
    description:
      "Of the body. With application/x-www-form-urlencoded the members of the payload are fields, and objects and lists " +
      "in them JSON; with any other type the standard payload is JSON.",
  }),
  headers: Type.Record(Type.String(), Type.String({ maxLength: 2000 }), {
    description:
      "Further headers of each delivery, at most 30. Shown to readers: secrets belong into authConfig.",
  }),
  transformTemplate: Nullable(TransformTemplate),
  retryEnabled: Type.Boolean(),
  maxRetries: Type.Integer({ minimum: 0, maximum: 20, description: "Tries after the first one." }),
  retryIntervals: Type.Array(Type.Integer({ minimum: 1, maximum: INTERVAL_SECONDS_MAX }), {
    minItems: 1,
    maxItems: 20,
    description: "Seconds between tries, ± a tenth; the last one repeats.",
  }),
  rateLimit: Nullable(SubscriptionRateLimit),
  concurrencyMax: Nullable(
    Type.Integer({ minimum: 1, maximum: 64, description: "Deliveries in flight at once." }),
  ),
  orderingMode: OrderingMode,
  signature: SignatureForm,
  isEnabled: Type.Boolean({ description: "Shorthand: true is ACTIVE, false is PAUSED." }),
};

const status = Type.Union([Type.Literal("ACTIVE"), Type.Literal("PAUSED")], {
  description: "FAILED is set by the hub alone.",
});

const AuthConfigInput = Type.Record(Type.String(), Type.Unknown(), {
  description:
    "BASIC: username, password. API_KEY: value, in, name, prefix. OAUTH2: tokenUrl, clientId, clientSecret, scope, " +
    "audience, clientAuthentication. HMAC: secretKey, header, algorithm, encoding, prefix, timestampHeader, layout.",
});

const SecretKey = Type.String({
  minLength: 1,
  maxLength: 4096,
  description:
    "Signing secret: `whsec_…`, or `whsk_…` for Ed25519; one is made when left out. A plain HMAC form takes any text.",
});

const { name, url, eventTypes, ...optional } = settings;

/** Body of a POST. */
export const CreateSubscriptionInput = Type.Object(
  {
    name,
    url,
    eventTypes,
    ...Type.Partial(Type.Object(optional)).properties,
    authConfig: Type.Optional(Nullable(AuthConfigInput)),
    secretKey: Type.Optional(SecretKey),
    status: Type.Optional(status),
  },
  { additionalProperties: false },
);
export type CreateSubscriptionInput = Static<typeof CreateSubscriptionInput>;

/** Fields present are changed; null resets to the default. The secret has a verb of its own. */
export const UpdateSubscriptionInput = Type.Partial(
  Type.Object({
    ...settings,
    authType: Nullable(settings.authType),
    authConfig: Nullable(AuthConfigInput),
    contentType: Nullable(settings.contentType),
    headers: Nullable(settings.headers),
    retryEnabled: Nullable(settings.retryEnabled),
    maxRetries: Nullable(settings.maxRetries),
    retryIntervals: Nullable(settings.retryIntervals),
    orderingMode: Nullable(settings.orderingMode),
    signature: Nullable(settings.signature),
    status,
  }),
  { additionalProperties: false },
);
export type UpdateSubscriptionInput = Static<typeof UpdateSubscriptionInput>;

const Timestamp = Type.String({ format: "date-time" });

/** A subscription as it is shown: without any secret. */
export const Subscription = Type.Object({
  id: Type.String({ format: "uuid" }),
  tenantId: Type.String({ format: "uuid" }),
  ...settings,
  authConfig: Nullable(
    Type.Record(Type.String(), Type.Unknown(), { description: "Without its secret field." }),
  ),
  status: SubscriptionStatus,
  disabledReason: Nullable(Type.String({ description: "Why the hub disabled it." })),
  secretLast4: Nullable(Type.String({ description: "Last four characters of the signing secret." })),
  publicKey: Nullable(Type.String({ description: "`whpk_…`: verifies Ed25519 signatures." })),
  previousSecretExpiresAt: Nullable(Timestamp),
  totalSent: Type.Integer(),
  totalDelivered: Type.Integer(),
  totalFailed: Type.Integer(),
  consecutiveFailures: Type.Integer(),
  lastTriggeredAt: Nullable(Timestamp),
  lastSuccessAt: Nullable(Timestamp),
  lastFailureAt: Nullable(Timestamp),
  createdAt: Timestamp,
  updatedAt: Timestamp,
  createdBy: Nullable(Type.String({ format: "uuid", description: "User who made it." })),
});
export type Subscription = Static<typeof Subscription>;

/** The only answers that carry the secret: POST and rotate-secret. */
export const CreatedSubscription = Type.Composite([
  Subscription,
  Type.Object({ secretKey: Type.String({ description: "Shown this once." }) }),
]);
export type CreatedSubscription = Static<typeof CreatedSubscription>;

export const RotateSubscriptionSecretInput = Type.Object(
  {
    secretKey: Type.Optional(SecretKey),
    overlapSeconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 604_800,
        default: 86_400,
        description: "Time for which deliveries are signed with the old secret too; one day when left out.",
      }),
    ),
  },
  { additionalProperties: false },
);
export type RotateSubscriptionSecretInput = Static<typeof RotateSubscriptionSecretInput>;

export const RotatedSubscriptionSecret = Type.Object({
  secretKey: Type.String({ description: "Shown this once." }),
  publicKey: Nullable(Type.String({ description: "`whpk_…`: verifies Ed25519 signatures." })),
  previousExpiresAt: Nullable(Timestamp),
});
export type RotatedSubscriptionSecret = Static<typeof RotatedSubscriptionSecret>;
