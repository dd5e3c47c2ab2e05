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
  /** Set while a caller's transaction is open: the verb's own becomes a savepoint of it. */
  outer?: OuterTransaction;
}

export type Transaction = TransactionSql;

/** A transaction that several verbs share, and what is to happen once it is committed. */
export interface OuterTransaction {
  tx: Transaction;
  effects: (() => Promise<void> | void)[];
}

/** @throws HubError `forbidden` (403) when the actor lacks the scope; the hub's own jobs hold every scope. */
export function requireScope(ctx: Context, scope: Scope): void {
  if (ctx.actor.type === "job" || ctx.actor.type === "system") return;
  if (!ctx.actor.scopes.has(scope)) throw new HubError("forbidden", `The scope ${scope} is needed.`);
}

/** A context in which the hub itself acts for a tenant: the command line, `start`, scheduled jobs. */
export function systemContext(runtime: Runtime, tenantId: string, id: string, requestId: string): Context {
  return { runtime, tenantId, actor: { type: "system", id, scopes: new Set(SCOPES) }, requestId };
}

/**
 * Runs `work` in one transaction as role `hub_app` with the tenant set, so that row-level security stands behind
 * every forgotten `where`. The setting ends with the transaction and cannot leak to the next user of the connection.
 * Inside `withOuterTransaction` it is a savepoint of that transaction.
 *
 * @param isolation `repeatable read` where several statements are to see one moment, as two tables between which rows move
 */
export async function withTenant<T>(
  ctx: Context,
  work: (tx: Transaction) => Promise<T>,
  isolation: "read committed" | "repeatable read" = "read committed",
): Promise<T> {
  const run = async (tx: Transaction): Promise<{ value: T }> => ({ value: await work(tx) });
  const { outer } = ctx;
  const result =
    outer === undefined
      ? await ctx.runtime.sqlApp.begin(`isolation level ${isolation}`, async (tx) => {
          await tx`select set_config('app.tenant', ${ctx.tenantId}, true)`;
          return run(tx);
        })
      : await outer.tx.savepoint(run);
  return (result as { value: T }).value;
}

/**
 * Opens a transaction that the verbs called by `work` join, when they are given the context that `work` receives:
 * what they write is committed together or not at all. Effects of `afterCommit` run once it is committed.
 */
export async function withOuterTransaction<T>(
  ctx: Context,
  work: (joined: Context, tx: Transaction) => Promise<T>,
): Promise<T> {
  const effects: OuterTransaction["effects"] = [];
  const result = await withTenant(ctx, (tx) => work({ ...ctx, outer: { tx, effects } }, tx));
  for (const effect of effects) await effect();
  return result;
}

/**
 * Runs an effect that others may see, such as an invalidation, only after what it tells of is committed: at once, or
 * when the outer transaction has ended well.
 */
export async function afterCommit(ctx: Context, effect: () => Promise<void> | void): Promise<void> {
  if (ctx.outer === undefined) await effect();
  else ctx.outer.effects.push(effect);
}
