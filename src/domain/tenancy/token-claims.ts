import type { JWTPayload } from "jose";
import { isUuid } from "../../platform/uuid.ts";
import type { Scope } from "../context.ts";
import { isScope, scopesOf } from "./roles.ts";
import { TENANT_SLUG } from "./schema.ts";

/** What the hub takes from a valid token. */
export interface TokenIdentity {
  subject: string;
  tenantId: string | undefined;
  tenantSlug: string | undefined;
  scopes: ReadonlySet<Scope>;
  email: string | null;
  name: string | null;
}

/** Longest subject that is stored (OpenID Connect Core, section 2, allows 255). */
const SUBJECT_LENGTH_MAX = 255;

/**
 * Reads the claims: tenant by `tenant_id` (UUID) or `tenant` (slug), at least one; scopes by `scope` (RFC 8693, section
 * 4.2, separated by spaces), `scopes` (array) or `role`.
 *
 * @returns undefined when the subject or the tenant is missing or malformed: such a token opens nothing
 */
export function readTokenClaims(claims: JWTPayload): TokenIdentity | undefined {
  const subject = claims.sub;
  const tenantId = claims["tenant_id"];
  const tenantSlug = claims["tenant"];
  if (subject === undefined || subject === "" || subject.length > SUBJECT_LENGTH_MAX) return undefined;
  if (tenantId !== undefined && (typeof tenantId !== "string" || !isUuid(tenantId))) return undefined;
  if (tenantSlug !== undefined && (typeof tenantSlug !== "string" || !TENANT_SLUG.test(tenantSlug)))
    return undefined;
  if (tenantId === undefined && tenantSlug === undefined) return undefined;
  return {
    subject,
    tenantId: tenantId?.toLowerCase(),
    tenantSlug,
    scopes: readScopes(claims),
    email: text(claims["email"]),
    name: text(claims["name"]),
  };
}

function readScopes(claims: JWTPayload): ReadonlySet<Scope> {
  const { scope, scopes, role } = claims as Record<string, unknown>;
  const names = [
    ...(typeof scope === "string" ? scope.split(" ") : []),
    ...(Array.isArray(scopes) ? scopes.filter((name) => typeof name === "string") : []),
  ];
  return scopesOf(typeof role === "string" ? role : undefined, names.filter(isScope));
}

function text(claim: unknown): string | null {
  return typeof claim === "string" && claim !== "" ? claim.slice(0, 320) : null;
}
