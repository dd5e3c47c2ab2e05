import { scopesOf } from "./roles.ts";
import type { ApiKey } from "./schema.ts";
import type { ApiKeyRow } from "./store.ts";

/** The API's form of a key's row: never its hash. */
export function presentApiKey(row: ApiKeyRow): ApiKey {
  return {
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    role: row.role as ApiKey["role"],
    scopes: [...scopesOf(row.role, row.scopes)],
    expiresAt: row.expiresAt?.toISOString() ?? null,
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
    createdBy: row.createdBy,
    createdAt: row.createdAt.toISOString(),
  };
}
