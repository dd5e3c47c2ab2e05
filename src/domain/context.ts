import type { TransactionSql } from "postgres";
import type { Runtime } from "../platform/runtime.ts";
import { HubError } from "./errors.ts";

/** What a key or token may do (DESIGN.md section 8). */
export const SCOPES = [
  "integrations:read",
  "integrations:write",
  "webhooks:read",
  "webhooks:write",
  "events:read",
  "events:publish",
  "gateway:call",
  "transformations:read",
  "transformations:write",
  "sync:read",
  "sync:write",
  "logs:read",
  "keys:write",
  "platform:admin",
] as const;

export type Scope = (typeof SCOPES)[number];

/** Who acts. `job` and `system` are the hub itself. */
export interface Actor {
  type: "api_key" | "user" | "job" | "system";
  id: string;
  scopes: ReadonlySet<Scope>;
}

/** First argument of every verb: for whom, by whom, and with what. */
export interface Context {
  runtime: Runtime;
  tenantId: string;
  actor: Actor;
  /** Correlation id: X-Request-Id of the call. */
  requestId: string;
  sourceIp?: string;
}

export type Transaction = TransactionSql;

/** @throws HubError `forbidden` (403) when the actor lacks the scope; the hub's own jobs hold every scope. */
export function requireScope(ctx: Context, scope: Scope): void {
  if (ctx.actor.type === "job" || ctx.actor.type === "system") return;
  if (!ctx.actor.scopes.has(scope)) throw new HubError("forbidden", `The scope ${scope} is needed.`);
}

/**
 * Runs `work` in one transaction as role `hub_app` with the tenant set, so that row-level security stands behind
 * every forgotten `where`. The setting ends with the transaction and cannot leak to the next user of the connection.
 */
export async function withTenant<T>(ctx: Context, work: (tx: Transaction) => Promise<T>): Promise<T> {
  const result = await ctx.runtime.sqlApp.begin(async (tx) => {
    await tx`select set_config('app.tenant', ${ctx.tenantId}, true)`;
    return { value: await work(tx) };
  });
  return (result as { value: T }).value;
}
