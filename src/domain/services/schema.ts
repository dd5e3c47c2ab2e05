import { Type, type Static } from "@sinclair/typebox";

/** Pattern of a service's name: it is part of a Redis key and of a URL. */
export const SERVICE_NAME_PATTERN = "^[a-z0-9][a-z0-9-]{0,49}$";

/** What `PUT /api/v1/services/:name` takes. */
export const ServiceInput = Type.Object(
  {
    kind: Type.Union([Type.Literal("HTTP"), Type.Literal("STREAM")], {
      description:
        "HTTP: POST to `url`. STREAM: entry in the Redis stream `svc:<name>`, read in the group `<name>`.",
    }),
    url: Type.Optional(
      Type.Union([Type.String({ maxLength: 2048 }), Type.Null()], {
        description: "Address of an HTTP service: http or https, without user information",
      }),
    ),
    timeoutSeconds: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 30,
        description: "Longest wait for the service's answer; 30 when left out",
      }),
    ),
    description: Type.Optional(Type.Union([Type.String({ maxLength: 2000 }), Type.Null()])),
  },
  { additionalProperties: false },
);
export type ServiceInput = Static<typeof ServiceInput>;

/** A registered target service as the API shows it. */
export const Service = Type.Object({
  id: Type.String({ format: "uuid" }),
  name: Type.String({ pattern: SERVICE_NAME_PATTERN }),
  kind: Type.Union([Type.Literal("HTTP"), Type.Literal("STREAM")]),
  url: Type.Union([Type.String(), Type.Null()]),
  streamKey: Type.Union([Type.String(), Type.Null()], {
    description: "Key of a STREAM service's Redis stream",
  }),
  timeoutSeconds: Type.Integer(),
  description: Type.Union([Type.String(), Type.Null()]),
  isPlatform: Type.Boolean({
    description: "True for a service of the platform, which a tenant cannot change",
  }),
  createdAt: Type.String({ format: "date-time" }),
  updatedAt: Type.String({ format: "date-time" }),
});
export type Service = Static<typeof Service>;
