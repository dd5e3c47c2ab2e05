import type { Context, Transaction } from "../context.ts";
import { openSecret } from "../vault/open-secret.ts";
import { sealSecret } from "../vault/seal-secret.ts";
import { AUTH_SECRET_FIELD } from "./auth-config.ts";
import { authSecretPlace } from "./compile-subscription.ts";
import type { SubscriptionRow } from "./store.ts";

type Auth = Pick<SubscriptionRow, "authType" | "authConfig">;

/** The `auth_config` that is stored: its secret field sealed for its row. */
export async function sealAuth(
  ctx: Context,
  tx: Transaction,
  subscription: { id: string } & Auth,
): Promise<Record<string, unknown> | null> {
  const { id, authType, authConfig } = subscription;
  if (authType === "NONE" || authConfig === null) return null;
  const field = AUTH_SECRET_FIELD[authType];
  const place = authSecretPlace(ctx.tenantId, id, field);
  return { ...authConfig, [field]: await sealSecret(ctx.runtime, tx, place, String(authConfig[field])) };
}

/**
 * The authentication of a stored row with its secret opened, for judging a change of it.
 *
 * @throws VaultError when the secret cannot be opened
 */
export async function openStoredAuth(
  ctx: Context,
  tx: Transaction,
  row: Pick<SubscriptionRow, "id"> & Auth,
): Promise<Record<string, unknown> | null> {
  const { id, authType, authConfig } = row;
  if (authType === "NONE" || authConfig === null) return null;
  const field = AUTH_SECRET_FIELD[authType];
  const place = authSecretPlace(ctx.tenantId, id, field);
  return {
    ...authConfig,
    [field]: await openSecret(ctx.runtime, tx, place, String(authConfig[field])),
  };
}
