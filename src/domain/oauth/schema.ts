import { type Static, Type } from "@sinclair/typebox";

const closed = { additionalProperties: false } as const;

/** Body of POST …/authorize; everything in it may be left out. */
export const AuthorizeInput = Type.Object(
  {
    scopes: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
        minItems: 1,
        maxItems: 200,
        uniqueItems: true,
        description: "What to ask for; the provider's usual scopes when left out.",
      }),
    ),
    config: Type.Optional(
      Type.Record(Type.String(), Type.String({ maxLength: 4_000 }), {
        description:
          "One-time fields of the provider, such as a log-in name to suggest; used once and forgotten.",
      }),
    ),
  },
  closed,
);
export type AuthorizeInput = Static<typeof AuthorizeInput>;

/** A log-in that somebody may begin. */
export const Authorization = Type.Object({
  url: Type.String({
    description:
      "To be opened, once, in the browser of the person who logs in. Whoever has it can do so: pass it on with care.",
  }),
  expiresAt: Type.String({ format: "date-time" }),
  redirectUri: Type.String({ description: "What has to be registered with the provider." }),
});
export type Authorization = Static<typeof Authorization>;
