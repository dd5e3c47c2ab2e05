import type { Sql } from "postgres";
import { serviceStreamKey } from "../../platform/redis/keys.ts";
import type { Transaction } from "../context.ts";
import type { Service, ServiceInput } from "./schema.ts";

/** A row of `services`. */
export interface ServiceRow {
  id: string;
  tenantId: string | null;
  name: string;
  kind: "HTTP" | "STREAM";
  url: string | null;
  timeoutSeconds: number;
  description: string | null;
  createdAt: Date;
  updatedAt: Date;
}

/** The service of a name for one tenant: its own row, else the platform's. */
export async function findService(
  sql: Sql | Transaction,
  tenantId: string,
  name: string,
): Promise<ServiceRow | undefined> {
  const [row] = await sql<ServiceRow[]>`
    select id, tenant_id as "tenantId", name, kind, url, timeout_seconds as "timeoutSeconds", description,
           created_at as "createdAt", updated_at as "updatedAt"
    from services
    where name = ${name} and (tenant_id = ${tenantId} or tenant_id is null)
    order by tenant_id nulls last
    limit 1`;
  return row;
}

/** Inserts or replaces a tenant's own service; `created` tells which. */
export async function upsertService(
  tx: Transaction,
  tenantId: string,
  name: string,
  input: ServiceInput & { url: string | null },
): Promise<{ row: ServiceRow; created: boolean }> {
  const [row] = await tx<(ServiceRow & { created: boolean })[]>`
    insert into services (tenant_id, name, kind, url, timeout_seconds, description)
    values (${tenantId}, ${name}, ${input.kind}, ${input.url}, ${input.timeoutSeconds ?? 30}, ${input.description ?? null})
    on conflict (tenant_id, name) do update
      set kind = excluded.kind, url = excluded.url, timeout_seconds = excluded.timeout_seconds,
          description = excluded.description, updated_at = now()
    returning id, tenant_id as "tenantId", name, kind, url, timeout_seconds as "timeoutSeconds", description,
              created_at as "createdAt", updated_at as "updatedAt", (xmax = 0) as created`;
  const { created, ...service } = row!;
  return { row: service, created };
}

/** Endpoints of the tenant that route to the service. */
export async function countEndpointsOfService(
  tx: Transaction,
  tenantId: string,
  name: string,
): Promise<number> {
  const [row] = await tx<{ count: string }[]>`
    select count(*) as count from webhook_endpoints
    where tenant_id = ${tenantId} and target_service = ${name} and deleted_at is null`;
  return Number(row!.count);
}

/** Removes a tenant's own service. */
export async function removeService(
  tx: Transaction,
  tenantId: string,
  name: string,
): Promise<string | undefined> {
  const [row] = await tx<{ id: string }[]>`
    delete from services where tenant_id = ${tenantId} and name = ${name} returning id`;
  return row?.id;
}

/** A row as the API shows it. */
export function presentService(row: ServiceRow): Service {
  return {
    id: row.id,
    name: row.name,
    kind: row.kind,
    url: row.url,
    streamKey: row.kind === "STREAM" ? serviceStreamKey(row.name) : null,
    timeoutSeconds: row.timeoutSeconds,
    description: row.description,
    isPlatform: row.tenantId === null,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}
