import { type Scope, SCOPES } from "../context.ts";

/** Roles are sets of scopes (DESIGN.md section 8); `platform:admin` belongs to none and is granted by name only. */
export const ROLES = {
  owner: SCOPES.filter((scope) => scope !== "platform:admin"),
  operator: SCOPES.filter((scope) => scope !== "platform:admin" && scope !== "keys:write"),
  viewer: SCOPES.filter((scope) => scope.endsWith(":read")),
  service: ["integrations:read", "events:read", "events:publish", "gateway:call", "sync:read"],
} as const satisfies Record<string, readonly Scope[]>;

export type Role = keyof typeof ROLES;

export const ROLE_NAMES = Object.keys(ROLES) as Role[];

const KNOWN_SCOPES: ReadonlySet<string> = new Set(SCOPES);

/** True for the name of a scope. */
export function isScope(name: string): name is Scope {
  return KNOWN_SCOPES.has(name);
}

/** True for the name of a role. */
export function isRole(name: string): name is Role {
  return Object.hasOwn(ROLES, name);
}

/** The scopes of a role together with scopes named one by one; names that are none are left out. */
export function scopesOf(role: string | null | undefined, names: readonly string[]): ReadonlySet<Scope> {
  const scopes = new Set<Scope>(names.filter(isScope));
  if (role !== null && role !== undefined && isRole(role)) for (const scope of ROLES[role]) scopes.add(scope);
  return scopes;
}
