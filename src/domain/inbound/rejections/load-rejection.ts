import type { Context, Transaction } from "../../context.ts";
import { notFound } from "../../errors.ts";
import { VaultError } from "../../vault/data-key.ts";
import { openSecret } from "../../vault/open-secret.ts";
import { type EndpointRow, getEndpointRow, listEndpointRows } from "../endpoint-store.ts";
import type { KnownSecrets } from "./explain/secret-variants.ts";
import { rawPlace, type RawRequest } from "./refused-request.ts";
import { getRejectionRow, type RejectionRow } from "./rejection-store.ts";

/** A sample with its raw request, and what its explanation needs of the endpoint as it is now. */
export interface LoadedRejection {
  row: RejectionRow;
  raw: RawRequest;
  /** Undefined when the address names none, or it was deleted. */
  endpoint: EndpointRow | undefined;
  secrets: KnownSecrets;
}

/** Endpoints of the tenant whose secrets are tried, newest first. */
const OTHERS_MAX = 200;

/**
 * Loads the tenant's sample and opens its request.
 *
 * @throws HubError 404 `not_found`; VaultError when the request cannot be opened
 */
export async function loadRejection(ctx: Context, tx: Transaction, id: string): Promise<LoadedRejection> {
  const { runtime, tenantId } = ctx;
  const found = await getRejectionRow(tx, tenantId, id);
  if (found === undefined) throw notFound();
  const { rawSealed, ...row } = found;
  const raw = JSON.parse(await openSecret(runtime, tx, rawPlace(tenantId, row.id), rawSealed)) as RawRequest;
  const endpoint = row.endpointId === null ? undefined : await getEndpointRow(tx, tenantId, row.endpointId);
  const secrets =
    endpoint === undefined ? { active: [], expired: [], others: [] } : await knownSecrets(ctx, tx, endpoint);
  return { row, raw, endpoint, secrets };
}

async function knownSecrets(ctx: Context, tx: Transaction, own: EndpointRow): Promise<KnownSecrets> {
  const nowMs = ctx.runtime.clock.nowMs();
  const active = [await currentSecret(ctx, tx, own)];
  const expired: (string | undefined)[] = [];
  for (const { sealed, expiresAt } of own.previousSecrets) {
    const list = Date.parse(expiresAt) > nowMs ? active : expired;
    // oxlint-disable-next-line no-await-in-loop -- the tenant's key is in memory after the first
    list.push(await openOrSkip(ctx, tx, own.id, { column: "previous_secrets", path: expiresAt }, sealed));
  }
  const page = { limit: OTHERS_MAX, beforeId: undefined, status: undefined, integrationId: undefined };
  const others: KnownSecrets["others"][number][] = [];
  for (const other of await listEndpointRows(tx, ctx.tenantId, page)) {
    if (other.id === own.id) continue;
    // oxlint-disable-next-line no-await-in-loop -- the tenant's key is in memory after the first
    const secret = await currentSecret(ctx, tx, other);
    if (secret !== undefined && secret !== "")
      others.push({ endpointId: other.id, endpointPath: other.endpointPath, secret });
  }
  return { active: present(active), expired: present(expired), others };
}

function present(secrets: readonly (string | undefined)[]): string[] {
  return secrets.filter((secret) => secret !== undefined && secret !== "") as string[];
}

function currentSecret(ctx: Context, tx: Transaction, row: EndpointRow): Promise<string | undefined> {
  return openOrSkip(ctx, tx, row.id, { column: "secret_key" }, row.secretKey);
}

/** A secret that cannot be opened explains nothing, and must not hide the explanations of the others. */
async function openOrSkip(
  ctx: Context,
  tx: Transaction,
  rowId: string,
  place: { column: string; path?: string },
  sealed: string,
): Promise<string | undefined> {
  try {
    const whole = { tenantId: ctx.tenantId, table: "webhook_endpoints", rowId, ...place };
    return await openSecret(ctx.runtime, tx, whole, sealed);
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    return undefined;
  }
}
