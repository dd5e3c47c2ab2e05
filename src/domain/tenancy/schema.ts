import { type Static, Type } from "@sinclair/typebox";
import { type Scope, SCOPES } from "../context.ts";
import { type Role, ROLE_NAMES } from "./roles.ts";

const Id = Type.String({ format: "uuid" });
const Timestamp = Type.String({ format: "date-time" });

/** Stands in the URLs of inbound webhooks; the form of a UUID is refused, because that place takes tenant ids too. */
export const TENANT_SLUG =
  /^(?![0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$)[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;

export const Tenant = Type.Object({
  id: Id,
  slug: Type.String({ description: "Name of the tenant in URLs." }),
  name: Type.String(),
  createdAt: Timestamp,
});
export type Tenant = Static<typeof Tenant>;

export const CreateTenantInput = Type.Object(
  {
    slug: Type.String({
      pattern: TENANT_SLUG.source,
      description: "1 to 100 letters, digits, `-` or `_`; unique.",
    }),
    name: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: "The slug when left out." }),
    ),
  },
  { additionalProperties: false },
);
export type CreateTenantInput = Static<typeof CreateTenantInput>;

export const CreatedTenant = Type.Object({
  tenant: Type.Object({ id: Id, slug: Type.String() }),
  apiKey: Type.String({ description: "The first key, with the role owner. Shown this once." }),
});
export type CreatedTenant = Static<typeof CreatedTenant>;

/** A union over a list has no static type of its own; the list's does. */
export const ScopeName = Type.Unsafe<Scope>(
  Type.Union(
    SCOPES.map((scope) => Type.Literal(scope)),
    { description: "What the key may do." },
  ),
);
export const RoleName = Type.Unsafe<Role>(
  Type.Union(
    ROLE_NAMES.map((role) => Type.Literal(role)),
    { description: "A named set of scopes." },
  ),
);

export const ApiKey = Type.Object({
  id: Id,
  name: Type.String(),
  prefix: Type.String({
    description: "The first characters of the key, by which people and leak scanners know it.",
  }),
  role: Type.Union([RoleName, Type.Null()]),
  scopes: Type.Array(ScopeName, { description: "All that the key may do: the role's scopes and its own." }),
  expiresAt: Type.Union([Timestamp, Type.Null()]),
  lastUsedAt: Type.Union([Timestamp, Type.Null()], { description: "Accurate to a minute." }),
  createdBy: Type.Union([Type.String(), Type.Null()]),
  createdAt: Timestamp,
});
export type ApiKey = Static<typeof ApiKey>;

export const CreateApiKeyInput = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200 }),
    role: Type.Optional(RoleName),
    scopes: Type.Optional(Type.Array(ScopeName, { maxItems: SCOPES.length, uniqueItems: true })),
    expiresAt: Type.Optional(
      Type.Union([Timestamp, Type.Null()], {
        description: "The key stops working then; null or left out: never.",
      }),
    ),
  },
  { additionalProperties: false, description: "At least one of `role` and `scopes`." },
);
export type CreateApiKeyInput = Static<typeof CreateApiKeyInput>;

export const CreatedApiKey = Type.Composite([
  ApiKey,
  Type.Object({ key: Type.String({ description: "The key itself. Shown this once." }) }),
]);
export type CreatedApiKey = Static<typeof CreatedApiKey>;
