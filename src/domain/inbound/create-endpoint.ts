import { newId } from "../../platform/uuid.ts";
import { emitAudit } from "../audit/emit-audit.ts";
import { type Context, requireScope, withTenant } from "../context.ts";
import { HubError, notFound } from "../errors.ts";
import { sealSecret } from "../vault/seal-secret.ts";
import { checkEndpoint } from "./check-endpoint.ts";
import {
  BODY_BYTES_DEFAULT,
  type CreatedEndpoint,
  type CreateEndpointInput,
  DEDUPE_WINDOW_SECONDS_DEFAULT,
} from "./endpoint-schema.ts";
import { type EndpointValues, getEndpointRow, insertEndpointRow } from "./endpoint-store.ts";
import { newEndpointSecret, secretLast4 } from "./endpoint-secret.ts";
import { publishEndpointChange } from "./publish-endpoint-change.ts";
import { presentEndpoint } from "./present-endpoint.ts";

const UNIQUE_VIOLATION = "23505";

/**
 * Creates an inbound endpoint. The answer is the only one, besides a rotation's, that shows the secret.
 *
 * @throws HubError 403 `forbidden`; 409 `conflict` when the path is taken; 422 `invalid_input` with the path of each fault
 */
export async function createEndpoint(ctx: Context, input: CreateEndpointInput): Promise<CreatedEndpoint> {
  requireScope(ctx, "webhooks:write");
  const id = newId();
  const values = {
    id,
    tenantId: ctx.tenantId,
    integrationId: input.integrationId ?? null,
    endpointPath: input.endpointPath ?? randomPath(),
    pathGenerated: input.endpointPath === undefined,
    previousSecrets: [],
    eventTypes: input.eventTypes ?? [],
    handlerType: input.handlerType,
    transformTemplate: input.transformTemplate ?? null,
    targetService: input.targetService ?? null,
    ipWhitelist: input.ipWhitelist ?? null,
    signatureScheme: input.signatureScheme ?? "hmac",
    signatureHeader: input.signatureHeader ?? null,
    signatureAlgorithm: input.signatureAlgorithm ?? null,
    signatureSettings: input.signatureSettings ?? null,
    eventIdSource: input.eventIdSource ?? null,
    eventTypeSource: input.eventTypeSource ?? null,
    dedupeWindowSeconds: input.dedupeWindowSeconds ?? DEDUPE_WINDOW_SECONDS_DEFAULT,
    rateLimit: input.rateLimit ?? null,
    maxBodyBytes: input.maxBodyBytes ?? BODY_BYTES_DEFAULT,
    status: input.status ?? (input.isEnabled === false ? "DISABLED" : "ACTIVE"),
  } satisfies Omit<EndpointValues, "secretKey" | "secretLast4">;
  await checkEndpoint(ctx, values, input.secretKey);
  const secret = newEndpointSecret(values.signatureScheme, values, input.secretKey);

  const row = await withTenant(ctx, async (tx) => {
    await requireIntegration(ctx, tx, values.integrationId);
    const sealed = await sealSecret(
      ctx.runtime,
      tx,
      {
        tenantId: ctx.tenantId,
        table: "webhook_endpoints",
        rowId: id,
        column: "secret_key",
      },
      secret ?? "",
    );
    try {
      await insertEndpointRow(tx, { ...values, secretKey: sealed, secretLast4: secretLast4(secret) });
    } catch (error) {
      if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error;
      throw new HubError("conflict", `The path "${values.endpointPath}" is taken by another endpoint.`);
    }
    await emitAudit(tx, ctx, {
      verb: "webhook_endpoint.create",
      objectType: "webhook_endpoint",
      objectId: id,
      changedFields: Object.keys(input),
    });
    return (await getEndpointRow(tx, ctx.tenantId, id))!;
  });
  await publishEndpointChange(ctx, id);
  return { ...presentEndpoint(ctx.runtime.config, row), secretKey: secret };
}

/** 22 characters of base64url: 128 bits that nobody guesses. */
function randomPath(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("base64url");
}

/** An integration of another tenant answers as one that does not exist; it is not deleted before the transaction ends. */
export async function requireIntegration(
  ctx: Context,
  tx: Parameters<typeof insertEndpointRow>[0],
  integrationId: string | null,
): Promise<void> {
  if (integrationId === null) return;
  const rows =
    await tx`select 1 from integrations where tenant_id = ${ctx.tenantId} and id = ${integrationId} and deleted_at is null for share`;
  if (rows.length === 0) throw notFound();
}
