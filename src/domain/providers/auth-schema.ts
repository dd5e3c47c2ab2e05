import { type Static, Type } from "@sinclair/typebox";
import { FieldName, HeaderName, Pointer, RequestTemplate, Template, TimeFormat } from "./request-schema.ts";

const closed = { additionalProperties: false } as const;

/** Where a credential stands in a call. */
export const Placement = Type.Object(
  {
    in: Type.Union([Type.Literal("header"), Type.Literal("query"), Type.Literal("body")], {
      description: "body: a member of the JSON object, or a field of the form.",
    }),
    name: Type.String({
      minLength: 1,
      maxLength: 100,
      description: "Name of the header, parameter or member; may be a {field}.",
    }),
    value: Template,
  },
  closed,
);
export type Placement = Static<typeof Placement>;

/** How a token endpoint's answer is read. */
export const TokenAnswer = Type.Object(
  {
    accessToken: Pointer,
    refreshToken: Type.Optional(Pointer),
    expires: Type.Optional(Type.Object({ pointer: Pointer, format: TimeFormat }, closed)),
    refreshExpires: Type.Optional(
      Type.Object(
        { pointer: Pointer, format: TimeFormat },
        { ...closed, description: "End of the refresh token, which the next refresh puts off." },
      ),
    ),
    loginExpires: Type.Optional(
      Type.Object(
        { pointer: Pointer, format: TimeFormat },
        { ...closed, description: "When somebody has to log in again, whatever is refreshed." },
      ),
    ),
    /** Field of kind `derived` → where its value stands. */
    capture: Type.Optional(Type.Record(FieldName, Pointer)),
    /** Stands here, whatever the status: the request failed (Zoho answers errors with 200). */
    error: Type.Optional(Pointer),
  },
  closed,
);
export type TokenAnswer = Static<typeof TokenAnswer>;

/** What a refresh may do and when it is over (RFC 6749 section 6, and each provider's own rules). */
export const RefreshPolicy = Type.Object(
  {
    rotation: Type.Union([Type.Literal("none"), Type.Literal("every_use"), Type.Literal("periodic")], {
      description:
        "none: the refresh token stays; every_use: each refresh ends the one before; periodic: it changes now and then.",
    }),
    reuseGraceSeconds: Type.Optional(
      Type.Integer({ minimum: 0, description: "For so long a spent refresh token is taken once more." }),
    ),
    idleLifeSeconds: Type.Optional(Type.Integer({ minimum: 1 })),
    absoluteLifeSeconds: Type.Optional(Type.Integer({ minimum: 1 })),
    minAgeSeconds: Type.Optional(
      Type.Integer({ minimum: 0, description: "A younger access token may not be refreshed." }),
    ),
    marginSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400, default: 300 })),
    defaultLifeSeconds: Type.Integer({
      minimum: 1,
      description: "Life of an access token whose answer names none.",
    }),
    quota: Type.Optional(
      Type.Object(
        { limit: Type.Integer({ minimum: 1 }), windowSeconds: Type.Integer({ minimum: 1 }) },
        { ...closed, description: "What the token endpoint takes of one refresh token." },
      ),
    ),
    finalErrors: Type.Array(
      Type.Object(
        {
          status: Type.Optional(Type.Integer({ minimum: 100, maximum: 599 })),
          pointer: Pointer,
          values: Type.Array(Type.String({ maxLength: 200 }), { minItems: 1, maxItems: 50 }),
        },
        closed,
      ),
      {
        maxItems: 50,
        description: "Answers after which the user has to log in again; all others are outages.",
      },
    ),
  },
  closed,
);
export type RefreshPolicy = Static<typeof RefreshPolicy>;

/** A token endpoint; grant, code, verifier and the client's own proof are added to it. */
export const TokenEndpoint = Type.Object(
  {
    server: Type.String({ maxLength: 60, description: "Name in the server's `urls`." }),
    clientAuth: Type.Union([Type.Literal("basic"), Type.Literal("body"), Type.Literal("none")], {
      description: "client_secret_basic, client_secret_post or a public client (RFC 6749 section 2.3.1).",
    }),
    bodyFormat: Type.Optional(Type.Union([Type.Literal("form"), Type.Literal("json")])),
    query: Type.Optional(Type.Record(Type.String({ maxLength: 200 }), Template)),
    headers: Type.Optional(Type.Record(HeaderName, Template)),
    /** Sent with every grant. */
    params: Type.Optional(Type.Record(Type.String({ maxLength: 200 }), Template)),
    answer: TokenAnswer,
  },
  closed,
);
export type TokenEndpoint = Static<typeof TokenEndpoint>;

const Scopes = Type.Object(
  {
    default: Type.Array(Type.String({ maxLength: 200 }), { maxItems: 200 }),
    optional: Type.Optional(Type.Array(Type.String({ maxLength: 200 }), { maxItems: 500 })),
    separator: Type.Optional(Type.Union([Type.Literal(" "), Type.Literal(",")])),
  },
  closed,
);

/** A request that ends a token (RFC 7009) or asks about it (RFC 7662); placeholder `{token}`. */
const TokenCall = Type.Object(
  {
    request: RequestTemplate,
    clientAuth: Type.Union([Type.Literal("basic"), Type.Literal("body"), Type.Literal("none")]),
    token: Type.Union([Type.Literal("access"), Type.Literal("refresh")]),
  },
  closed,
);

export const NoAuth = Type.Object({ type: Type.Literal("NONE") }, closed);

export const ApiKeyAuth = Type.Object(
  { type: Type.Literal("API_KEY"), place: Type.Array(Placement, { minItems: 1, maxItems: 10 }) },
  closed,
);

export const BasicAuth = Type.Object(
  { type: Type.Literal("BASIC"), username: Template, password: Template },
  closed,
);

export const BearerAuth = Type.Object(
  {
    type: Type.Literal("BEARER"),
    token: Template,
    prefix: Type.Optional(Type.String({ maxLength: 50, pattern: "^[\\x21-\\x7e]*$", default: "Bearer" })),
  },
  closed,
);

/** RFC 6749 section 4.1, with RFC 7636. */
export const OAuth2CodeAuth = Type.Object(
  {
    type: Type.Literal("OAUTH2_CODE"),
    authorize: Type.Object(
      {
        server: Type.String({ maxLength: 60, description: "Name in the server's `urls`." }),
        params: Type.Optional(Type.Record(Type.String({ maxLength: 100 }), Template)),
        /** Headers without which the page is refused: then the hub asks for it and passes the redirect on. */
        headers: Type.Optional(Type.Record(HeaderName, Template)),
        pkce: Type.Union([Type.Literal("S256"), Type.Literal("none")]),
        /** Field of kind `derived` → parameter of the redirect. */
        capture: Type.Optional(Type.Record(FieldName, Type.String({ maxLength: 100 }))),
      },
      closed,
    ),
    scopes: Scopes,
    token: TokenEndpoint,
    refresh: RefreshPolicy,
    revoke: Type.Optional(TokenCall),
    introspect: Type.Optional(TokenCall),
    place: Type.Array(Placement, { minItems: 1, maxItems: 10 }),
  },
  closed,
);
export type OAuth2CodeAuth = Static<typeof OAuth2CodeAuth>;

/** RFC 6749 section 4.4. */
export const OAuth2ClientCredentialsAuth = Type.Object(
  {
    type: Type.Literal("OAUTH2_CLIENT_CREDENTIALS"),
    scopes: Scopes,
    token: TokenEndpoint,
    refresh: RefreshPolicy,
    revoke: Type.Optional(TokenCall),
    place: Type.Array(Placement, { minItems: 1, maxItems: 10 }),
  },
  closed,
);
export type OAuth2ClientCredentialsAuth = Static<typeof OAuth2ClientCredentialsAuth>;

/** RFC 6749 section 4.3: user name and password are traded for tokens. */
export const OAuth2PasswordAuth = Type.Object(
  {
    type: Type.Literal("OAUTH2_PASSWORD"),
    username: Template,
    password: Template,
    scopes: Scopes,
    token: TokenEndpoint,
    refresh: RefreshPolicy,
    place: Type.Array(Placement, { minItems: 1, maxItems: 10 }),
  },
  closed,
);
export type OAuth2PasswordAuth = Static<typeof OAuth2PasswordAuth>;

/** Requests in a row that are no OAuth: each may use what the earlier ones captured; the last one gives the token. */
export const TokenRequestAuth = Type.Object(
  {
    type: Type.Literal("TOKEN_REQUEST"),
    steps: Type.Array(
      Type.Object(
        {
          name: FieldName,
          request: RequestTemplate,
          /** Placeholder for later steps → where its value stands. The last step's `accessToken` is the token. */
          capture: Type.Record(FieldName, Pointer),
          expires: Type.Optional(Type.Object({ pointer: Pointer, format: TimeFormat }, closed)),
        },
        closed,
      ),
      { minItems: 1, maxItems: 5 },
    ),
    lifeSeconds: Type.Integer({ minimum: 1, description: "Life of a token whose answer names none." }),
    marginSeconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400, default: 300 })),
    place: Type.Array(Placement, { minItems: 1, maxItems: 10 }),
  },
  closed,
);
export type TokenRequestAuth = Static<typeof TokenRequestAuth>;

/** How a call proves who makes it. */
export const Auth = Type.Union([
  NoAuth,
  ApiKeyAuth,
  BasicAuth,
  BearerAuth,
  OAuth2CodeAuth,
  OAuth2ClientCredentialsAuth,
  OAuth2PasswordAuth,
  TokenRequestAuth,
]);
export type Auth = Static<typeof Auth>;
export type AuthType = Auth["type"];
