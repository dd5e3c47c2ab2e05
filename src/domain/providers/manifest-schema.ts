import { type Static, Type } from "@sinclair/typebox";
import { Auth } from "./auth-schema.ts";
import { ProviderObject, Webhooks } from "./object-schema.ts";
import {
  FieldName,
  HeaderName,
  Pointer,
  RequestTemplate,
  Template,
  TimeFormat,
  literals,
} from "./request-schema.ts";

const closed = { additionalProperties: false } as const;
/** The one form of manifests that this hub reads. */
export const MANIFEST_VERSION = 1;

export const PROVIDER_CODE_PATTERN = "^[A-Z0-9][A-Z0-9_]{0,49}$";
export const ENVIRONMENTS = ["PRODUCTION", "SANDBOX", "TEST"] as const;
export type Environment = (typeof ENVIRONMENTS)[number];
export const CATEGORIES = ["LOAD_BOARD", "ACCOUNTING", "ELD", "CRM", "RATING", "OTHER"] as const;

/** Where a value of kind `derived` comes from. */
const DerivedFrom = Type.Union([
  Type.Object(
    { redirect: Type.String({ maxLength: 100, description: "Parameter of the OAuth redirect." }) },
    closed,
  ),
  Type.Object({ token: Pointer }, { ...closed, description: "In the answer of the token endpoint." }),
  Type.Object(
    { request: RequestTemplate, pointer: Pointer },
    { ...closed, description: "In the answer of a call that is made once the credential works." },
  ),
]);

/** One thing that is asked for, or found out, when an integration is set up. */
export const InputField = Type.Object(
  {
    name: FieldName,
    label: Type.String({ minLength: 1, maxLength: 200 }),
    kind: literals(
      ["operator", "connection", "secret", "one-time", "derived"],
      "operator: of the app that the operator registered with the provider; connection: of the customer's account; secret: sealed, never shown; one-time: used in the set-up and forgotten; derived: found out by the hub.",
    ),
    type: literals(
      ["string", "integer", "boolean", "url", "host", "path"],
      "url: scheme, host and path; host: a host name; path: one or more segments without a query.",
    ),
    required: Type.Boolean(),
    pattern: Type.Optional(
      Type.String({ maxLength: 500, description: "RE2; the whole value has to match." }),
    ),
    enum: Type.Optional(Type.Array(Type.String({ maxLength: 200 }), { minItems: 1, maxItems: 200 })),
    default: Type.Optional(Type.Union([Type.String({ maxLength: 2_000 }), Type.Integer(), Type.Boolean()])),
    minLength: Type.Optional(Type.Integer({ minimum: 0 })),
    maxLength: Type.Optional(Type.Integer({ minimum: 1, maximum: 64_000 })),
    help: Type.Optional(Type.String({ maxLength: 2_000 })),
    example: Type.Optional(Type.String({ maxLength: 500 })),
    documentationUrl: Type.Optional(Type.String({ maxLength: 500, pattern: "^https://" })),
    visibleWhen: Type.Optional(
      Type.Object(
        { field: FieldName, equals: Type.Array(Type.String({ maxLength: 200 }), { minItems: 1 }) },
        closed,
      ),
    ),
    /** Of a derived field, and of a connection's that is filled so when nobody chose. */
    from: Type.Optional(DerivedFrom),
    options: Type.Optional(
      Type.Object(
        { request: RequestTemplate, items: Pointer, value: Pointer, label: Pointer },
        { ...closed, description: "The call that lists what may be chosen, once the credential works." },
      ),
    ),
  },
  closed,
);
export type InputField = Static<typeof InputField>;

const HOST_PATTERN =
  "^(?:\\*\\.)?(?:[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?)*|\\[[0-9a-f:.]+\\]|\\{[a-z][A-Za-z0-9]*\\})$";

/** The addresses of one environment and region. */
export const Server = Type.Object(
  {
    environment: literals(ENVIRONMENTS),
    region: Type.Optional(
      Type.String({ maxLength: 50, description: "Value of the field that `regionField` names." }),
    ),
    baseUrl: Type.String({ minLength: 1, maxLength: 2_000, description: "{field} placeholders; no query." }),
    urls: Type.Optional(
      Type.Record(FieldName, Type.String({ minLength: 1, maxLength: 2_000 }), {
        description: "Further addresses by name: authorize, token, revoke, and other hosts of the API.",
      }),
    ),
    allowedHosts: Type.Array(Type.String({ maxLength: 260, pattern: HOST_PATTERN }), {
      minItems: 1,
      maxItems: 50,
      description:
        "The only hosts that see a credential of this environment. `*.` stands for one label; {field} for a host that the operator gives.",
    }),
    sharedHosts: Type.Optional(
      Type.Array(Type.String({ maxLength: 260, pattern: HOST_PATTERN }), {
        maxItems: 20,
        description:
          "Hosts of the log-in that the provider has only once for all environments; never the host of `baseUrl`.",
      }),
    ),
    fallbackBaseUrl: Type.Optional(Type.String({ minLength: 1, maxLength: 2_000 })),
    defaults: Type.Optional(
      Type.Record(FieldName, Type.String({ maxLength: 2_000 }), {
        description: "Values of derived fields until they are known.",
      }),
    ),
  },
  closed,
);
export type Server = Static<typeof Server>;

const PathPattern = Type.String({
  maxLength: 500,
  pattern: "^(?:[A-Z]+ )?/[^\\s]*$",
  description:
    "Path below the base, `*` for one segment, `**` at the end for the rest; a method may stand in front.",
});

/** What the provider takes in a time, or at once. */
export const Quota = Type.Object(
  {
    name: FieldName,
    limit: Type.Integer({ minimum: 1, maximum: 1_000_000_000 }),
    windowSeconds: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 2_678_400, description: "Left out: calls at the same time." }),
    ),
    scope: literals(
      ["integration", "provider", "token"],
      "integration: of one account; provider: of the app over all its accounts; token: of one credential.",
    ),
    paths: Type.Optional(Type.Array(PathPattern, { minItems: 1, maxItems: 100 })),
    weights: Type.Optional(
      Type.Array(
        Type.Object({ path: PathPattern, weight: Type.Integer({ minimum: 1, maximum: 10_000 }) }, closed),
        { maxItems: 100 },
      ),
    ),
  },
  closed,
);
export type Quota = Static<typeof Quota>;

/** Headers by which the provider tells how much of a quota is left. */
export const RateHeader = Type.Object(
  {
    quota: FieldName,
    limit: Type.Optional(HeaderName),
    remaining: Type.Optional(HeaderName),
    reset: Type.Optional(Type.Object({ header: HeaderName, format: TimeFormat }, closed)),
    used: Type.Optional(
      Type.Object(
        { header: HeaderName, key: Type.String({ minLength: 1, maxLength: 100 }) },
        { ...closed, description: "One header with `key=used/limit` pairs (Salesforce)." },
      ),
    ),
  },
  closed,
);
export type RateHeader = Static<typeof RateHeader>;

export const ANSWER_ACTIONS = ["retry", "rate_limited", "refresh_then_retry", "ignore", "fail"] as const;
export const ANSWER_KINDS = ["auth", "limit", "outage", "config", "data"] as const;

/** What an answer means; the first rule that fits counts, and the general ones after all of them. */
export const ClassificationRule = Type.Object(
  {
    status: Type.Optional(
      Type.Array(
        Type.Union([Type.Integer({ minimum: 100, maximum: 599 }), literals(["2xx", "3xx", "4xx", "5xx"])]),
        { minItems: 1, maxItems: 50 },
      ),
    ),
    header: Type.Optional(
      Type.Object(
        {
          name: HeaderName,
          equals: Type.Optional(Type.Array(Type.String({ maxLength: 200 }), { minItems: 1 })),
        },
        closed,
      ),
    ),
    body: Type.Optional(
      Type.Object(
        {
          pointer: Pointer,
          equals: Type.Optional(
            Type.Array(Type.Union([Type.String({ maxLength: 500 }), Type.Number(), Type.Boolean()]), {
              minItems: 1,
              maxItems: 100,
            }),
          ),
          contains: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
        },
        { ...closed, description: "Without `equals` and `contains`: something stands there." },
      ),
    ),
    action: literals(ANSWER_ACTIONS),
    kind: literals(ANSWER_KINDS),
    code: Type.String({ pattern: "^[a-z][a-z0-9_]{0,59}$" }),
    message: Type.Optional(
      Type.Union([
        Type.Object({ pointer: Pointer }, closed),
        Type.Object({ text: Type.String({ maxLength: 500 }) }, closed),
      ]),
    ),
    retryAfterSeconds: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 86_400, description: "When the answer names no time." }),
    ),
  },
  closed,
);
export type ClassificationRule = Static<typeof ClassificationRule>;

/** The request that shows whether a credential works. */
export const Verify = Type.Object(
  {
    request: Type.Union([RequestTemplate, Type.Null()], {
      description: "null: getting a token is all that can be asked for without cost.",
    }),
    expect: Type.Object(
      {
        status: Type.Array(Type.Integer({ minimum: 100, maximum: 599 }), { minItems: 1 }),
        present: Type.Optional(Type.Array(Pointer, { maxItems: 20 })),
      },
      closed,
    ),
    accountName: Type.Optional(Pointer),
    blame: Type.Optional(
      Type.Array(
        Type.Object(
          {
            status: Type.Array(Type.Integer({ minimum: 100, maximum: 599 }), { minItems: 1 }),
            fields: Type.Array(FieldName, { minItems: 1 }),
          },
          closed,
        ),
        { maxItems: 20, description: "Which fields are likely to be wrong." },
      ),
    ),
  },
  closed,
);
export type Verify = Static<typeof Verify>;

/** Where a fact was found, and how sure it is. */
export const Fact = Type.Object(
  {
    source: Type.String({ minLength: 1, maxLength: 300 }),
    mark: literals(
      ["verified", "secondary", "unverified"],
      "verified: the provider's own documentation, specification or SDK; secondary: clients that talk to the real API; unverified: nobody showed it, and `overrides` of an integration may say otherwise.",
    ),
    note: Type.Optional(Type.String({ maxLength: 500 })),
  },
  closed,
);
export type Fact = Static<typeof Fact>;

/** A provider as data: everything the hub knows of an outside system. */
export const ProviderManifest = Type.Object(
  {
    manifestVersion: Type.Literal(MANIFEST_VERSION),
    code: Type.String({ pattern: PROVIDER_CODE_PATTERN }),
    name: Type.String({ minLength: 1, maxLength: 200 }),
    category: literals(CATEGORIES),
    description: Type.Optional(Type.String({ maxLength: 2_000 })),
    documentationUrl: Type.Optional(Type.String({ maxLength: 500, pattern: "^https://" })),
    apiVersion: Type.Optional(Type.String({ maxLength: 20 })),
    status: literals(["ACTIVE", "DEPRECATED", "COMING_SOON"]),
    features: Type.Object(
      {
        webhooks: Type.Boolean(),
        batch: Type.Boolean(),
        realtime: Type.Boolean(),
        rateLimiting: Type.Boolean(),
      },
      closed,
    ),
    capabilities: Type.Optional(
      Type.Array(Type.String({ maxLength: 100 }), { maxItems: 50, description: "For people: Post loads, …" }),
    ),
    fields: Type.Array(InputField, { maxItems: 100 }),
    regionField: Type.Optional(FieldName),
    servers: Type.Array(Server, { minItems: 1, maxItems: 100 }),
    auth: Auth,
    otherAuth: Type.Optional(
      Type.Array(
        Type.Object(
          { when: Type.Object({ field: FieldName, equals: Type.String() }, closed), auth: Auth },
          closed,
        ),
        { maxItems: 10, description: "Log-ins that are used instead when a field has a value." },
      ),
    ),
    headers: Type.Optional(
      Type.Record(HeaderName, Template, { description: "Sent with every call of the API." }),
    ),
    query: Type.Optional(
      Type.Record(Type.String({ maxLength: 200 }), Template, {
        description: "Sent with every call of the API, unless the caller says otherwise.",
      }),
    ),
    verify: Verify,
    quotas: Type.Array(Quota, { maxItems: 50 }),
    rateHeaders: Type.Array(RateHeader, { maxItems: 20 }),
    retryAfter: Type.Optional(
      Type.Array(Type.Object({ header: HeaderName, format: TimeFormat }, closed), {
        maxItems: 10,
        description: "Headers besides Retry-After that tell when to come again.",
      }),
    ),
    classification: Type.Array(ClassificationRule, { maxItems: 100 }),
    answerType: Type.Optional(
      literals(["json", "any"], "json: HTML instead of JSON is an error page, whatever its status."),
    ),
    timeouts: Type.Optional(
      Type.Object(
        {
          totalSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 600 })),
          connectSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 60 })),
        },
        closed,
      ),
    ),
    retriesMax: Type.Optional(Type.Integer({ minimum: 0, maximum: 10 })),
    idempotency: Type.Optional(
      Type.Object(
        {
          in: literals(["header", "query"]),
          name: Type.String({ minLength: 1, maxLength: 100 }),
          methods: Type.Array(literals(["POST", "PUT", "PATCH", "DELETE"]), { minItems: 1 }),
          lengthMax: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
        },
        closed,
      ),
    ),
    redact: Type.Optional(
      Type.Array(Pointer, { maxItems: 100, description: "Members of bodies that no log may hold." }),
    ),
    objects: Type.Optional(Type.Record(FieldName, ProviderObject)),
    webhooks: Type.Optional(Webhooks),
    facts: Type.Optional(
      Type.Record(Pointer, Fact, {
        description: "Part of this manifest → where it was found. The longest one counts.",
      }),
    ),
  },
  closed,
);
export type ProviderManifest = Static<typeof ProviderManifest>;
