import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { CATEGORIES, ProviderManifest } from "./manifest-schema.ts";
import { literals } from "./request-schema.ts";

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const ProviderCategory = literals(CATEGORIES);
export const ProviderStatus = literals(["ACTIVE", "DEPRECATED", "COMING_SOON"]);
export const ProviderOrigin = Type.Union([Type.Literal("BUILT_IN"), Type.Literal("CUSTOM")], {
  description: "CUSTOM: described by this tenant.",
});

const listed = {
  id: Type.String({ format: "uuid" }),
  code: Type.String(),
  name: Type.String(),
  category: ProviderCategory,
  description: Nullable(Type.String()),
  origin: ProviderOrigin,
  version: Type.Integer({ description: "Of the manifest; grows with every change." }),
  configSchema: Type.Record(Type.String(), Type.Unknown(), {
    description: "JSON Schema of `config` of an integration.",
  }),
  authType: Type.String({ description: "API_KEY, OAUTH2, BASIC, NONE or TOKEN_REQUEST." }),
  baseUrl: Nullable(Type.String()),
  apiVersion: Nullable(Type.String()),
  documentationUrl: Nullable(Type.String()),
  supportsWebhooks: Type.Boolean(),
  supportsBatch: Type.Boolean(),
  supportsRealtime: Type.Boolean(),
  rateLimitRequests: Nullable(Type.Integer({ description: "Of the first quota; the manifest has all." })),
  rateLimitWindow: Nullable(Type.Integer({ description: "Seconds." })),
  environments: Type.Array(
    Type.Union([Type.Literal("PRODUCTION"), Type.Literal("SANDBOX"), Type.Literal("TEST")]),
    { description: "In which an integration can be made." },
  ),
  capabilities: Type.Array(Type.String()),
  status: ProviderStatus,
  createdAt: Type.String({ format: "date-time" }),
  updatedAt: Type.String({ format: "date-time" }),
};

/** A provider as lists show it. */
export const Provider = Type.Object(listed);
export type Provider = Static<typeof Provider>;

/** A provider with its whole manifest. */
export const ProviderDetail = Type.Object({ ...listed, manifest: ProviderManifest });
export type ProviderDetail = Static<typeof ProviderDetail>;

/** What a PUT did besides. */
export const ChangedProvider = Type.Object({
  ...listed,
  manifest: ProviderManifest,
  integrationsKept: Type.Integer({
    description:
      "Integrations that lack what the new manifest asks for: they go on with the one that they had until they are changed.",
  }),
});
export type ChangedProvider = Static<typeof ChangedProvider>;

/**
 * Body of POST and PUT: a manifest. It is judged as a whole by the verb, which tells every fault at once, so the
 * framework only sees that it is an object.
 */
export const ManifestInput = Type.Unsafe<Record<string, unknown>>({
  ...Type.Record(Type.String(), Type.Unknown()),
  description: "A provider manifest, as `manifest` of GET shows it.",
});
