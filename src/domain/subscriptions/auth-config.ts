import { Type, type Static } from "@sinclair/typebox";
import { HmacForm } from "./signature-form.ts";

const SECRET_MAX = 4096;
const HEADER_NAME = "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$";
/** Printable ASCII: what a header value can carry without being changed on the way. */
const HEADER_TEXT = "^[!-~](?:[ -~]*[!-~])?$";

export const BasicAuth = Type.Object(
  {
    username: Type.String({ maxLength: 255, pattern: "^[^:\\u0000-\\u001f\\u007f]*$" }),
    password: Type.String({ maxLength: SECRET_MAX, pattern: "^[^\\u0000-\\u001f\\u007f]*$" }),
  },
  { additionalProperties: false, description: "HTTP Basic (RFC 7617), in UTF-8." },
);

export const ApiKeyAuth = Type.Object(
  {
    in: Type.Optional(
      Type.Union([Type.Literal("header"), Type.Literal("query")], { description: "header when left out" }),
    ),
    name: Type.Optional(
      Type.String({
        pattern: HEADER_NAME,
        description: "Header or query parameter; `X-API-Key` when left out.",
      }),
    ),
    prefix: Type.Optional(
      Type.String({
        maxLength: 50,
        pattern: "^[ -~]*$",
        description: "What stands before the key, for example `Bearer `.",
      }),
    ),
    value: Type.String({ maxLength: SECRET_MAX, pattern: HEADER_TEXT }),
  },
  { additionalProperties: false },
);

export const OAuth2Auth = Type.Object(
  {
    tokenUrl: Type.String({
      maxLength: 500,
      description: "Token endpoint; the same addresses are refused as for `url`.",
    }),
    clientId: Type.String({ minLength: 1, maxLength: 500 }),
    clientSecret: Type.String({ minLength: 1, maxLength: SECRET_MAX }),
    scope: Type.Optional(Type.String({ maxLength: 1000 })),
    audience: Type.Optional(Type.String({ maxLength: 1000 })),
    clientAuthentication: Type.Optional(
      Type.Union([Type.Literal("basic"), Type.Literal("post")], {
        description:
          "How the client proves itself: Authorization header, or form fields; basic when left out.",
      }),
    ),
  },
  { additionalProperties: false, description: "OAuth 2.0 client credentials (RFC 6749 section 4.4)." },
);

export const HmacAuth = Type.Object(
  { secretKey: Type.String({ minLength: 1, maxLength: SECRET_MAX }), ...HmacForm.properties },
  { additionalProperties: false, description: "A further HMAC header with a secret of its own." },
);

/** Shape of `authConfig` for each `authType`. */
export const AUTH_CONFIGS = {
  BASIC: BasicAuth,
  API_KEY: ApiKeyAuth,
  OAUTH2: OAuth2Auth,
  HMAC: HmacAuth,
} as const;

/** The field of `authConfig` that is sealed and never shown. */
export const AUTH_SECRET_FIELD = {
  BASIC: "password",
  API_KEY: "value",
  OAUTH2: "clientSecret",
  HMAC: "secretKey",
} as const;

/** A subscription's authentication with its secret opened. */
export type SubscriptionAuth =
  | { type: "NONE" }
  | ({ type: "BASIC" } & Static<typeof BasicAuth>)
  | ({ type: "API_KEY" } & Static<typeof ApiKeyAuth>)
  | ({ type: "OAUTH2" } & Static<typeof OAuth2Auth>)
  | ({ type: "HMAC" } & Static<typeof HmacAuth>);
