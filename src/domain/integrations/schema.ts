import { type Static, type TSchema, Type } from "@sinclair/typebox";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Time = Type.String({ format: "date-time" });
const closed = { additionalProperties: false } as const;

export const IntegrationStatus = Type.Union(
  [Type.Literal("ACTIVE"), Type.Literal("PAUSED"), Type.Literal("ERROR"), Type.Literal("PENDING_AUTH")],
  {
    description:
      "PAUSED: disabled, keeps its configuration. ERROR: the connection is broken; calls are let through and a good one " +
      "mends it. PENDING_AUTH: somebody has to log in with the provider.",
  },
);

export const Environment = Type.Union([
  Type.Literal("PRODUCTION"),
  Type.Literal("SANDBOX"),
  Type.Literal("TEST"),
]);
export const SyncFrequency = Type.Union([
  Type.Literal("REALTIME"),
  Type.Literal("HOURLY"),
  Type.Literal("DAILY"),
  Type.Literal("MANUAL"),
]);

const ConfigInput = Type.Record(Type.String(), Type.Unknown(), {
  description:
    "The fields that the provider asks for (`fields` of GET /api/v1/integrations/providers/:code). Secret ones are " +
    "sealed and never shown again.",
});

/** Settings that a tenant may change later. */
const settings = {
  name: Type.String({ minLength: 1, maxLength: 200 }),
  description: Nullable(Type.String({ maxLength: 2_000 })),
  retryEnabled: Type.Boolean(),
  maxRetries: Nullable(
    Type.Integer({
      minimum: 0,
      maximum: 10,
      description: "Tries after the first one; null: the provider's, else DEFAULT_MAX_RETRIES.",
    }),
  ),
  timeoutSeconds: Nullable(
    Type.Integer({
      minimum: 1,
      maximum: 600,
      description: "For a call; null: the provider's, else DEFAULT_TIMEOUT_SECONDS.",
    }),
  ),
  syncFrequency: Nullable(SyncFrequency),
  externalId: Nullable(Type.String({ maxLength: 100 })),
  sourceSystem: Nullable(Type.String({ maxLength: 50 })),
  customFields: Type.Record(Type.String({ maxLength: 100 }), Type.Unknown()),
  overrides: Type.Record(Type.String({ maxLength: 200 }), Type.Unknown(), {
    description:
      "JSON pointer into the provider's manifest → value, for facts that are not marked as verified there, for " +
      'example `{ "/quotas/0/limit": 60 }`.',
  }),
};

const { name, ...optional } = settings;

/** Body of a POST. */
export const CreateIntegrationInput = Type.Object(
  {
    providerCode: Type.Optional(
      Type.String({ minLength: 1, maxLength: 50, description: "Either this or `providerId`." }),
    ),
    providerId: Type.Optional(Type.String({ format: "uuid" })),
    name,
    environment: Type.Optional(
      Type.Union(Environment.anyOf, {
        default: "PRODUCTION",
        description: "Cannot be changed later: make another integration for another one.",
      }),
    ),
    config: Type.Optional(ConfigInput),
    ...Type.Partial(Type.Object(optional)).properties,
  },
  closed,
);
export type CreateIntegrationInput = Static<typeof CreateIntegrationInput>;

/** Fields present are changed; null resets to the default. In `config`, names left out stay as they are. */
export const UpdateIntegrationInput = Type.Partial(
  Type.Object({
    ...settings,
    retryEnabled: Nullable(settings.retryEnabled),
    customFields: Nullable(settings.customFields),
    overrides: Nullable(settings.overrides),
    config: ConfigInput,
    isEnabled: Type.Boolean({ description: "Shorthand for enable and disable." }),
  }),
  closed,
);
export type UpdateIntegrationInput = Static<typeof UpdateIntegrationInput>;

/** One request of a connection test, without its secrets. */
export const TestStep = Type.Object({
  name: Type.String({ description: "`token` steps come before `verify`." }),
  request: Nullable(
    Type.Object({
      method: Type.String(),
      url: Type.String(),
      headers: Type.Record(Type.String(), Type.String()),
      body: Nullable(Type.String()),
    }),
  ),
  response: Nullable(
    Type.Object({
      status: Type.Integer(),
      headers: Type.Record(Type.String(), Type.String()),
      body: Nullable(Type.String({ description: "Its beginning." })),
    }),
  ),
  durationMs: Type.Integer(),
});
export type TestStep = Static<typeof TestStep>;

/** What a connection test found out. */
export const TestResult = Type.Object({
  passed: Type.Boolean(),
  testedAt: Time,
  durationMs: Type.Integer(),
  code: Type.String({
    description: "`ok`, `not_tested` for a provider without a check, else what went wrong.",
  }),
  kind: Nullable(
    Type.Union([
      Type.Literal("auth"),
      Type.Literal("limit"),
      Type.Literal("outage"),
      Type.Literal("config"),
      Type.Literal("data"),
    ]),
  ),
  message: Type.String(),
  fields: Type.Array(Type.String(), {
    description: "JSON pointers to the fields that are likely to be wrong.",
  }),
  accountName: Nullable(Type.String({ description: "What the provider calls the account." })),
  steps: Type.Array(TestStep),
});
export type TestResult = Static<typeof TestResult>;

/** An integration as the API shows it. */
export const Integration = Type.Object({
  id: Type.String({ format: "uuid" }),
  tenantId: Type.String({ format: "uuid" }),
  providerId: Type.String({ format: "uuid" }),
  providerCode: Type.String(),
  providerName: Type.String(),
  category: Type.String(),
  name: Type.String(),
  description: Nullable(Type.String()),
  environment: Environment,
  authType: Type.String(),
  config: Type.Record(Type.String(), Type.Unknown(), { description: "The open fields." }),
  secrets: Type.Record(
    Type.String(),
    Type.Object({ last4: Nullable(Type.String({ description: "When it has 16 characters or more." })) }),
    { description: "The secret fields that are set." },
  ),
  derived: Type.Record(Type.String(), Type.String(), { description: "What the hub found out by itself." }),
  overrides: Type.Record(Type.String(), Type.Unknown()),
  status: IntegrationStatus,
  isEnabled: Type.Boolean(),
  oauthExpiresAt: Nullable(Time),
  oauthLoginEndsAt: Nullable(
    Type.String({
      format: "date-time",
      description: "When somebody has to log in again, whatever is refreshed; null when no end is known.",
    }),
  ),
  lastSuccessfulCall: Nullable(Time),
  lastError: Nullable(Type.String()),
  lastErrorAt: Nullable(Time),
  errorCount: Type.Number(),
  lastTest: Nullable(TestResult),
  retryEnabled: Type.Boolean(),
  maxRetries: Type.Integer(),
  timeoutSeconds: Type.Integer(),
  syncFrequency: Nullable(SyncFrequency),
  lastSyncAt: Nullable(Time),
  nextSyncAt: Nullable(Time),
  externalId: Nullable(Type.String()),
  sourceSystem: Nullable(Type.String()),
  customFields: Type.Record(Type.String(), Type.Unknown()),
  createdAt: Time,
  updatedAt: Time,
  createdBy: Nullable(Type.String({ format: "uuid" })),
  updatedBy: Nullable(Type.String({ format: "uuid" })),
});
export type Integration = Static<typeof Integration>;
